/*
 * procfs.c - reading small kernel files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

char *capture_slurp(const char *path, size_t *ret_size)
{
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0, room = 1 << 14;

	if (fd < 0)
		return NULL;
	HF_AUTO(free_ptr) char *text = malloc(room);
	while (text) {
		ssize_t got = read(fd, text + size, room - size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL;
		size += (size_t)got;
		if (got == 0)
			break;
		if (room - size < 4096) {
			room *= 2;
			char *more = realloc(text, room);
			if (!more)
				return NULL;
			text = more;
		}
	}
	if (!text)
		return NULL;
	text[size] = '\0';
	if (ret_size)
		*ret_size = size;
	return hf_take(text);
}

char *capture_slurp_proc(pid_t pid, const char *name, size_t *ret_size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return capture_slurp(path, ret_size);
}

bool capture_field(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	while (text && *text) {
		if (!strncmp(text, key, length) &&
		    (text[length] == ':' || text[length] == ' ' || text[length] == '\t')) {
			const char *at = text + length + 1;
			char *end;
			at += strspn(at, ": \t");
			uint64_t value = strtoull(at, &end, 10);
			if (end == at)
				return false;
			*ret = value;
			return true;
		}
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return false;
}

char capture_state(pid_t pid)
{
	HF_AUTO(free_ptr) char *stat = capture_slurp_proc(pid, "stat", NULL);
	const char *name_end = stat ? strrchr(stat, ')') : NULL;
	return name_end && name_end[1] == ' ' ? name_end[2] : '\0';
}

bool capture_append(struct capture_bytes *bytes, const void *data, size_t size)
{
	if (!hf_vec_reserve(bytes, bytes->count + size))
		return false;
	if (size)
		memcpy(bytes->data + bytes->count, data, size);
	bytes->count += size;
	return true;
}
