/*
 * prefix.c - what loggers put before the kernel's message, and small text helpers.
 *
 * A line is, every part optional but in this order:
 *
 *	PRIORITY TIME HOST TAG: [MONOTONIC] [CALLER] MESSAGE
 *
 *	PRIORITY  "<4>", "<4>1 " (RFC 5424), "kern  :warn  : " (dmesg -x), "4,12,345678,-;" (kmsg)
 *	TIME      "[   89.62]" dmesg, "[Mon Nov 21 04:29:00 2022]" dmesg -T, ISO 8601,
 *	          "Nov 21 04:29:00", "Mon 2022-11-21 04:29:00 CET", "1669000000.123456"
 *	HOST      may be missing (journalctl --no-hostname)
 *	CALLER    "[  T123]" (CONFIG_PRINTK_CALLER)
 *
 * The grammar is strict, as process names may hold nearly anything: a host and a tag are
 * only looked for right behind a time.
 */
#include "core/oomlog/private.h"

#include <ctype.h>
#include <string.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

bool oom_take(const char **at, const char *literal)
{
	size_t length = strlen(literal);
	if (strncmp(*at, literal, length) != 0)
		return false;
	*at += length;
	return true;
}

bool oom_take_u64(const char **at, uint64_t *ret)
{
	const char *s = *at;
	uint64_t value = 0;
	if (!digit(*s))
		return false;
	for (; digit(*s); s++)
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return false;
	*at = s;
	*ret = value;
	return true;
}

bool oom_take_u32(const char **at, uint32_t *ret)
{
	const char *s = *at;
	uint64_t value;
	if (!oom_take_u64(&s, &value) || value > UINT32_MAX)
		return false;
	*at = s;
	*ret = (uint32_t)value;
	return true;
}

bool oom_take_i32(const char **at, int32_t *ret)
{
	const char *s = *at;
	bool negative = oom_take(&s, "-");
	uint64_t value;
	if (!oom_take_u64(&s, &value) || value > INT32_MAX)
		return false;
	*at = s;
	*ret = negative ? -(int32_t)value : (int32_t)value;
	return true;
}

bool oom_take_size(const char **at, uint64_t *ret)
{
	const char *s = *at;
	uint64_t value;
	if (!oom_take_u64(&s, &value) || (!oom_take(&s, "kB") && !oom_take(&s, "KB")))
		return false;
	if (value > (UINT64_MAX - 2) / 1024)
		return false;
	*at = s;
	*ret = value * 1024;
	return true;
}

const char *oom_find_last(const char *text, const char *needle)
{
	const char *found = NULL;
	for (const char *s = strstr(text, needle); s; s = strstr(s + 1, needle))
		found = s;
	return found;
}

/* "KEY:12kB" somewhere in @text. */
bool oom_field_size(const char *text, const char *key, uint64_t *ret)
{
	const char *s = strstr(text, key);
	if (!s)
		return false;
	s += strlen(key);
	return oom_take_size(&s, ret);
}

static void take_spaces(const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

/* Moves over @pattern: 9 a digit, A a letter, _ a space or digit, others themselves. */
static bool take_pattern(const char **at, const char *pattern)
{
	const char *s = *at;
	for (; *pattern; pattern++, s++) {
		bool ok = *pattern == '9'   ? digit(*s)
			  : *pattern == 'A' ? isalpha((unsigned char)*s) != 0
			  : *pattern == '_' ? digit(*s) || *s == ' '
					    : *s == *pattern;
		if (!ok)
			return false;
	}
	*at = s;
	return true;
}

static void take_fraction(const char **at)
{
	const char *s = *at;
	if ((*s != '.' && *s != ',') || !digit(s[1]))
		return;
	for (s++; digit(*s);)
		s++;
	*at = s;
}

/* "89.621725" as microseconds. */
static bool take_seconds(const char **at, uint64_t *ret)
{
	const char *s = *at;
	uint64_t seconds, usecs = 0, unit = 100000;
	if (!oom_take_u64(&s, &seconds) || seconds > UINT32_MAX || *s != '.' || !digit(s[1]))
		return false;
	for (s++; digit(*s); s++, unit /= 10)
		usecs += unit * (uint64_t)(*s - '0');
	*at = s;
	*ret = seconds * 1000000 + usecs;
	return true;
}

static void take_priority(const char **at, uint64_t *usecs)
{
	const char *s = *at;
	uint64_t number;
	if (oom_take(&s, "<") && oom_take_u64(&s, &number) && oom_take(&s, ">")) {
		*at = s;
		if (take_pattern(&s, "1 9999-"))
			*at += 2;
		return;
	}
	s = *at;
	if (oom_take_u64(&s, &number) && oom_take(&s, ",") && oom_take_u64(&s, &number) &&
	    oom_take(&s, ",") && oom_take_u64(&s, &number) && oom_take(&s, ",")) {
		const char *end = strchr(s, ';');
		if (end && end - s < 64) {
			*usecs = number;
			*at = end + 1;
		}
		return;
	}
	for (s = *at; islower((unsigned char)*s) || digit(*s);)
		s++;
	take_spaces(&s);
	if (s - *at < 4 || *s++ != ':')
		return;
	const char *level = s;
	while (islower((unsigned char)*s))
		s++;
	size_t length = (size_t)(s - level);
	take_spaces(&s);
	if (length >= 3 && length <= 6 && oom_take(&s, ": "))
		*at = s;
}

/* "[...]" with a time since boot, a date, or a difference inside. */
static bool take_bracket(const char **at, struct oom_line *line)
{
	const char *s = *at, *end = *s == '[' ? strchr(s, ']') : NULL;
	if (!end || end - s > 48)
		return false;
	s++;
	take_spaces(&s);
	const char *inside = s;
	uint64_t usecs;
	if (oom_take(&s, "+")) { /* dmesg -d, -e: the time since the line before */
		if (!take_seconds(&s, &usecs))
			return false;
	} else if (take_seconds(&s, &usecs)) {
		take_spaces(&s);
		if (s != end && *s != '<')
			return false;
		line->monotonic_usecs = usecs;
	} else if (take_pattern(&s, "AAA AAA __ 99:99:99") || take_pattern(&s, "AAA99 99:99")) {
		line->wall = inside;
		line->wall_length = (size_t)(end - inside);
	} else {
		return false;
	}
	*at = end + 1;
	take_spaces(at);
	return true;
}

/* "avril 16 21:08:50": journalctl in another language. */
static bool take_local_date(const char **at)
{
	const char *s = *at;
	while (*s && *s != ' ' && *s != '[' && s - *at < 20)
		s++;
	if (s == *at || !(take_pattern(&s, " 99 99:99:99") || take_pattern(&s, " 9 99:99:99") ||
			  take_pattern(&s, "  9 99:99:99")))
		return false;
	*at = s;
	return true;
}

/* Dates without brackets; @tagged tells that a host and a tag must follow. */
static bool take_date(const char **at, struct oom_line *line, bool *tagged)
{
	const char *s = *at, *begin = *at;
	uint64_t usecs;
	*tagged = true;
	bool weekday = take_pattern(&s, "AAA 9999-99-99 99:99:99");
	if (weekday || take_pattern(&s, "AAA _9 99:99:99") ||
	    take_pattern(&s, "AAA _9 9999 99:99:99") || take_local_date(&s)) {
		take_fraction(&s);
		if (weekday && *s == ' ') /* the zone's name */
			for (s++; isalnum((unsigned char)*s) || *s == '+' || *s == '-';)
				s++;
	} else if (take_pattern(&s, "9999-99-99T99:99:99") ||
		   take_pattern(&s, "9999-99-99 99:99:99")) {
		*tagged = *s != ',';
		take_fraction(&s);
		if (*s == '+' || *s == '-')
			for (s++; digit(*s) || *s == ':';)
				s++;
		else
			(void)oom_take(&s, "Z");
	} else if (!take_pattern(&s, "999999999") || (s = begin, !take_seconds(&s, &usecs))) {
		return false;
	}
	if (*s != ' ')
		return false;
	line->wall = begin;
	line->wall_length = (size_t)(s - begin);
	take_spaces(&s);
	*at = s;
	return true;
}

static enum oom_tag tag_of(const char *name, size_t length)
{
	static const struct {
		const char *name;
		enum oom_tag tag;
	} tags[] = {{"kernel", TAG_KERNEL}, {"earlyoom", TAG_EARLYOOM}, {"systemd-oomd", TAG_OOMD}};
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (strlen(tags[i].name) == length && !memcmp(tags[i].name, name, length))
			return tags[i].tag;
	return TAG_OTHER;
}

/* "TAG: ", "TAG[123]: " or, RFC 5424, "TAG - - - ". */
static bool take_tag(const char **at, enum oom_tag *ret)
{
	const char *s = *at;
	while (isalnum((unsigned char)*s) || (*s && strchr("-_./@()", *s)))
		s++;
	size_t length = (size_t)(s - *at);
	if (!length)
		return false;
	uint64_t pid;
	const char *bracket = s;
	if (oom_take(&bracket, "[") && oom_take_u64(&bracket, &pid) && oom_take(&bracket, "]"))
		s = bracket;
	if (oom_take(&s, " - - - ")) {
		*ret = tag_of(*at, length);
	} else if (oom_take(&s, ":") && (*s == ' ' || !*s)) {
		*ret = tag_of(*at, length);
		if (*s)
			s++;
	} else {
		return false;
	}
	*at = s;
	return true;
}

static bool take_word(const char **at, size_t *length)
{
	const char *s = *at;
	while (isalnum((unsigned char)*s) || (*s && strchr("-_.", *s)))
		s++;
	*length = (size_t)(s - *at);
	if (!*length || *s != ' ')
		return false;
	*at = s + 1;
	return true;
}

/* "HOST [FACILITY.PRIORITY] TAG: " */
static bool take_host_tag(const char **at, struct oom_line *line)
{
	const char *s = *at, *host = s;
	size_t length, skipped;
	enum oom_tag tag;
	if (!take_word(&s, &length))
		return false;
	if (!take_tag(&s, &tag)) {
		const char *facility = s;
		if (!take_word(&s, &skipped) || !memchr(facility, '.', skipped) ||
		    !take_tag(&s, &tag))
			return false;
	}
	line->host = host;
	line->host_length = length;
	line->tag = tag;
	*at = s;
	return true;
}

static void take_caller(const char **at)
{
	const char *s = *at;
	uint64_t id;
	if (!oom_take(&s, "["))
		return;
	take_spaces(&s);
	if ((oom_take(&s, "T") || oom_take(&s, "C")) && oom_take_u64(&s, &id) &&
	    oom_take(&s, "]")) {
		take_spaces(&s);
		*at = s;
	}
}

void oom_line_split(const char *text, struct oom_line *ret)
{
	*ret = (struct oom_line){.monotonic_usecs = HF_OOM_UNKNOWN};
	const char *s = text;
	bool tagged = false;
	take_priority(&s, &ret->monotonic_usecs);
	bool bracket = take_bracket(&s, ret);
	if (bracket && *s == '[')
		take_bracket(&s, ret); /* dmesg -e, or two stamps */
	if (bracket || take_date(&s, ret, &tagged)) {
		const char *before = s;
		if (take_host_tag(&s, ret) && !tagged && ret->tag == TAG_OTHER) {
			/* dmesg: it only looked like a host and a tag */
			s = before;
			ret->host = NULL;
			ret->host_length = 0;
			ret->tag = TAG_NONE;
		} else if (tagged && ret->tag == TAG_NONE && !take_tag(&s, &ret->tag)) {
			ret->tag = TAG_OTHER; /* journalctl --no-hostname has only the tag */
		}
		if (ret->tag == TAG_KERNEL)
			take_bracket(&s, ret);
	}
	take_caller(&s);
	ret->bare = s == text;
	ret->indented = ret->bare && (*s == ' ' || *s == '\t');
	ret->message = s;
}

/* The second of the day in the wall time, -1 if there is none. */
int32_t oom_line_second(const struct oom_line *line)
{
	for (size_t i = 0; i + 8 <= line->wall_length; i++) {
		const char *s = line->wall + i;
		if (!take_pattern(&s, "99:99:99"))
			continue;
		s -= 8;
		int hour = (s[0] - '0') * 10 + s[1] - '0';
		int minute = (s[3] - '0') * 10 + s[4] - '0';
		int second = (s[6] - '0') * 10 + s[7] - '0';
		return hour < 24 && minute < 60 ? hour * 3600 + minute * 60 + second : -1;
	}
	return -1;
}
