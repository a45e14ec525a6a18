/*
 * layout.c - the tables behind include/glibc_malloc.h.
 *
 * A row is a range of versions with one layout. Distributions back-port features, so the
 * rows are candidates: find.c confirms one by content (ring closure, mp_'s signature).
 */
#include <stddef.h>

#include "include/glibc_malloc.h"

#define PAR64_23                                                                                   \
	{                                                                                          \
		0, 40, 44, 52, 56, 80, 0, 0, 0, 88                                                 \
	}
#define PAR64_25                                                                                   \
	{                                                                                          \
		0, 40, 44, 52, 56, 72, 0, 0, 0, 80                                                 \
	}
#define PAR64_34                                                                                   \
	{                                                                                          \
		0, 40, 44, 52, 56, 72, 80, 88, 96, 112                                             \
	}
#define PAR64_42                                                                                   \
	{                                                                                          \
		48, 60, 64, 72, 80, 96, 104, 112, 120, 136                                         \
	}
#define PAR64_43                                                                                   \
	{                                                                                          \
		56, 68, 72, 80, 88, 104, 112, 120, 128, 144                                        \
	}
#define PAR64_44                                                                                   \
	{                                                                                          \
		56, 68, 72, 80, 88, 104, 112, 120, 128, 136                                        \
	}
#define PAR32_23                                                                                   \
	{                                                                                          \
		0, 20, 24, 32, 36, 48, 0, 0, 0, 52                                                 \
	}
#define PAR32_25                                                                                   \
	{                                                                                          \
		0, 20, 24, 32, 36, 44, 0, 0, 0, 48                                                 \
	}
#define PAR32_34                                                                                   \
	{                                                                                          \
		0, 20, 24, 32, 36, 44, 48, 52, 56, 64                                              \
	}
#define PAR32_42                                                                                   \
	{                                                                                          \
		24, 32, 36, 44, 48, 56, 60, 64, 68, 76                                             \
	}
#define PAR32_43                                                                                   \
	{                                                                                          \
		28, 36, 40, 48, 52, 60, 64, 68, 72, 80                                             \
	}
#define PAR32_44                                                                                   \
	{                                                                                          \
		28, 36, 40, 48, 52, 60, 64, 68, 72, 76                                             \
	}

/* first, last, word, align, fastbins, bins, attached, heap_info, mangled, trailer, par */
static const struct glibc_class classes[] = {
    {17, 22, 8, 16, 8, 104, false, 0x20, false, false, PAR64_23},
    {23, 23, 8, 16, 8, 104, true, 0x20, false, false, PAR64_23},
    {24, 25, 8, 16, 8, 104, true, 0x20, false, false, PAR64_25},
    {26, 26, 8, 16, 8, 104, true, 0x20, false, false, PAR64_34},
    {27, 31, 8, 16, 16, 112, true, 0x20, false, false, PAR64_34},
    {32, 34, 8, 16, 16, 112, true, 0x20, true, false, PAR64_34},
    {35, 42, 8, 16, 16, 112, true, 0x30, true, false, PAR64_42},
    {43, 43, 8, 16, 0, 24, true, 0x30, true, true, PAR64_43},
    {44, 44, 8, 16, 0, 24, true, 0x30, true, true, PAR64_44},
    /* 32 bits, 8-aligned chunks (arm32; i386 to 2.25): 10 fastbins */
    {17, 22, 4, 8, 8, 56, false, 0x10, false, false, PAR32_23},
    {23, 23, 4, 8, 8, 56, true, 0x10, false, false, PAR32_23},
    {24, 25, 4, 8, 8, 56, true, 0x10, false, false, PAR32_25},
    {26, 26, 4, 8, 8, 56, true, 0x10, false, false, PAR32_34},
    {27, 31, 4, 8, 12, 60, true, 0x10, false, false, PAR32_34},
    {32, 34, 4, 8, 12, 60, true, 0x10, true, false, PAR32_34},
    {35, 42, 4, 8, 12, 60, true, 0x18, true, false, PAR32_42},
    {43, 43, 4, 8, 0, 16, true, 0x18, true, true, PAR32_43},
    {44, 44, 4, 8, 0, 16, true, 0x18, true, true, PAR32_44},
    /* i386 from 2.26: 16-aligned, 11 fastbins, heap_info padded */
    {26, 26, 4, 16, 8, 60, true, 0x18, false, false, PAR32_34},
    {27, 31, 4, 16, 12, 64, true, 0x18, false, false, PAR32_34},
    {32, 34, 4, 16, 12, 64, true, 0x18, true, false, PAR32_34},
    {35, 42, 4, 16, 12, 64, true, 0x18, true, false, PAR32_42},
    {43, 43, 4, 16, 0, 16, true, 0x18, true, true, PAR32_43},
    {44, 44, 4, 16, 0, 16, true, 0x18, true, true, PAR32_44},
};

static const struct glibc_tcache_layout tcaches[] = {
    {8, 0x250, 0x260, 64, 64, 1, 64, false},  {8, 0x290, 0x2a0, 64, 64, 2, 128, false},
    {8, 0x300, 0x320, 76, 64, 2, 152, true},  {4, 0x148, 0x150, 64, 64, 1, 64, false},
    {4, 0x188, 0x190, 64, 64, 2, 128, false}, {4, 0x1d0, 0x1e0, 76, 64, 2, 152, true},
};

const struct glibc_class *glibc_classes(unsigned *ret_count)
{
	*ret_count = sizeof(classes) / sizeof(classes[0]);
	return classes;
}

const struct glibc_tcache_layout *glibc_tcache_layout(uint8_t word, uint64_t chunk_size)
{
	for (size_t i = 0; i < sizeof(tcaches) / sizeof(tcaches[0]); i++) {
		if (tcaches[i].word == word && chunk_size >= tcaches[i].smallest &&
		    chunk_size <= tcaches[i].largest)
			return &tcaches[i];
	}
	return NULL;
}
