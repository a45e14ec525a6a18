/*
 * human.c - numbers as people read them (see human.h). No locale: output is the same everywhere.
 */
#include "heapwalk/views/human.h"

#include <stdio.h>
#include <string.h>

char *hf_human_bytes(uint64_t bytes, char buffer[HF_HUMAN_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;
	double value = (double)bytes;

	while (value >= 999.5 && unit < 6) {
		value /= 1024;
		unit++;
	}
	int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	snprintf(buffer, HF_HUMAN_BYTES, "%.*f %s", decimals, value, units[unit]);
	return buffer;
}

char *hf_human_count(uint64_t count, char buffer[HF_HUMAN_BYTES])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%lu", (unsigned long)count), to = 0;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			buffer[to++] = ',';
		buffer[to++] = digits[i];
	}
	buffer[to] = '\0';
	return buffer;
}

char *hf_human_share(double share, char buffer[HF_HUMAN_BYTES])
{
	double percent = share * 100;
	if (percent > 0 && percent < 0.05)
		snprintf(buffer, HF_HUMAN_BYTES, "<0.1 %%");
	else if (percent < 9.95 && percent > 0)
		snprintf(buffer, HF_HUMAN_BYTES, "%.1f %%", percent);
	else
		snprintf(buffer, HF_HUMAN_BYTES, "%.0f %%", percent);
	return buffer;
}
