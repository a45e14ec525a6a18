/*
 * maps.c - the target's mappings, from /proc/PID/maps and the VmFlags of smaps.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

static bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool ends_with(const char *text, const char *tail)
{
	size_t length = strlen(text), tail_length = strlen(tail);
	return length >= tail_length && !strcmp(text + length - tail_length, tail);
}

/* The kernel writes a newline in a path as \012. */
static void unescape(char *path)
{
	char *to = path;
	for (const char *from = path; *from; from++) {
		if (!strncmp(from, "\\012", 4)) {
			*to++ = '\n';
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

static uint8_t kind_of(const char *path, bool shared)
{
	if (!strcmp(path, "[vdso]"))
		return CAPTURE_AREA_VDSO;
	if (starts_with(path, "[anon_shmem"))
		return CAPTURE_AREA_MEMORY;
	if (starts_with(path, "[heap") || starts_with(path, "[stack") || starts_with(path, "[anon"))
		return CAPTURE_AREA_ANONYMOUS;
	if (path[0] == '[')
		return CAPTURE_AREA_SPECIAL;
	if (shared && path[0])
		return starts_with(path, "/dev/zero") || starts_with(path, "/SYSV") ||
			       ends_with(path, " (deleted)")
			   ? CAPTURE_AREA_MEMORY
			   : CAPTURE_AREA_SHARED;
	if (!path[0] || starts_with(path, "/dev/zero") || starts_with(path, "/anon_hugepage"))
		return CAPTURE_AREA_ANONYMOUS;
	return CAPTURE_AREA_FILE;
}

static uint8_t vmflags_of(const struct capture_vmflags *vmflags, uint64_t start, uint64_t end)
{
	uint8_t flags = 0;
	for (size_t i = 0; vmflags && i < vmflags->count; i++) {
		const struct capture_vmflag *flag = &vmflags->data[i];
		if (flag->start < end && flag->end > start)
			flags |= flag->flags;
	}
	return flags;
}

/* "START-END rwxp OFFSET DEVICE INODE   PATH" */
static bool parse_line(const char *line, struct capture_area *ret, const char **ret_path,
		       bool *ret_shared)
{
	char perms[5] = "";
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &ret->start,
		   &ret->end, perms, &ret->file_offset, &path_at) < 4 ||
	    ret->start >= ret->end)
		return false;
	ret->flags = (perms[0] == 'r' ? PF_R : 0) | (perms[1] == 'w' ? PF_W : 0) |
		     (perms[2] == 'x' ? PF_X : 0);
	*ret_path = line + path_at;
	*ret_shared = perms[3] == 's';
	return true;
}

struct hf_error *capture_read_maps(pid_t pid, const struct capture_vmflags *vmflags,
				   struct capture_areas *ret)
{
	HF_AUTO(free_ptr) char *text = capture_slurp_proc(pid, "maps", NULL);
	char *save = NULL;

	if (!text)
		return hf_error_errno(errno, "/proc/%d/maps", (int)pid);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct capture_area area = {0};
		const char *path;
		bool shared;
		if (!parse_line(line, &area, &path, &shared) || !strcmp(path, "[vsyscall]"))
			continue;
		area.path = strdup(path);
		if (!area.path)
			return hf_error_nomem();
		unescape(area.path);
		area.kind = kind_of(area.path, shared);
		area.vmflags = vmflags_of(vmflags, area.start, area.end);
		if (!hf_vec_push(ret, area)) {
			free(area.path);
			return hf_error_nomem();
		}
	}
	if (ret->count == 0)
		return hf_error_create(HF_ERR_NOT_FOUND, "process %d has no memory (any more)",
				       (int)pid);
	return NULL;
}

void capture_areas_deinit(struct capture_areas *areas)
{
	hf_vec_foreach (area, areas)
		free(area->path);
	hf_vec_free(areas);
}

void capture_read_vmflags(pid_t pid, struct capture_vmflags *ret)
{
	char path[64];
	HF_AUTO(free_ptr) char *line = NULL;
	size_t room = 0;
	struct capture_vmflag flag = {0};

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	while (getline(&line, &room, file) > 0) {
		uint64_t start, end;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			flag = (struct capture_vmflag){start, end, 0};
		if (!starts_with(line, "VmFlags:"))
			continue;
		if (strstr(line, " dd"))
			flag.flags |= CAPTURE_DONTDUMP;
		if (strstr(line, " io") || strstr(line, " pf"))
			flag.flags |= CAPTURE_DEVICE;
		if (flag.flags && !hf_vec_push(ret, flag))
			break;
	}
	fclose(file);
}

bool capture_area_has_file(const struct capture_area *area)
{
	return area->path[0] == '/';
}
