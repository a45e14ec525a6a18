/*
 * machine.c - register tables (see machine.h).
 *
 * Sources: the kernel's user_regs_struct / elf_gregset_t of each architecture, the DWARF
 * register numbers of each psABI.
 */
#include "core/process/machine.h"

#include <elf.h>
#include <stddef.h>

#define PTR	     HF_REG_POINTER
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct hf_machine_register x86_64[] = {
    {"r15", 0, 15, PTR},	{"r14", 1, 14, PTR},	   {"r13", 2, 13, PTR},
    {"r12", 3, 12, PTR},	{"rbp", 4, 6, PTR},	   {"rbx", 5, 3, PTR},
    {"r11", 6, 11, PTR},	{"r10", 7, 10, PTR},	   {"r9", 8, 9, PTR},
    {"r8", 9, 8, PTR},		{"rax", 10, 0, PTR},	   {"rcx", 11, 2, PTR},
    {"rdx", 12, 1, PTR},	{"rsi", 13, 4, PTR},	   {"rdi", 14, 5, PTR},
    {"rip", 16, 16, HF_REG_PC}, {"rsp", 19, 7, HF_REG_SP}, {"fs_base", 21, -1, HF_REG_TP},
};

static const struct hf_machine_register i386[] = {
    {"ebx", 0, 3, PTR},	       {"ecx", 1, 1, PTR},	  {"edx", 2, 2, PTR},
    {"esi", 3, 6, PTR},	       {"edi", 4, 7, PTR},	  {"ebp", 5, 5, PTR},
    {"eax", 6, 0, PTR},	       {"gs", 10, -1, HF_REG_GS}, {"eip", 12, 8, HF_REG_PC},
    {"esp", 15, 4, HF_REG_SP},
};

#define X(n)                                                                                       \
	{                                                                                          \
		"x" #n, n, n, PTR                                                                  \
	}
static const struct hf_machine_register aarch64[] = {
    X(0),
    X(1),
    X(2),
    X(3),
    X(4),
    X(5),
    X(6),
    X(7),
    X(8),
    X(9),
    X(10),
    X(11),
    X(12),
    X(13),
    X(14),
    X(15),
    X(16),
    X(17),
    X(18),
    X(19),
    X(20),
    X(21),
    X(22),
    X(23),
    X(24),
    X(25),
    X(26),
    X(27),
    X(28),
    X(29),
    X(30),
    {"sp", 31, 31, HF_REG_SP},
    {"pc", 32, -1, HF_REG_PC},
};

static const struct hf_machine_register riscv64[] = {
    {"pc", 0, -1, HF_REG_PC},
    X(1),
    {"sp", 2, 2, HF_REG_SP},
    X(3),
    {"tp", 4, 4, HF_REG_TP},
    X(5),
    X(6),
    X(7),
    X(8),
    X(9),
    X(10),
    X(11),
    X(12),
    X(13),
    X(14),
    X(15),
    X(16),
    X(17),
    X(18),
    X(19),
    X(20),
    X(21),
    X(22),
    X(23),
    X(24),
    X(25),
    X(26),
    X(27),
    X(28),
    X(29),
    X(30),
    X(31),
};
#undef X

#define R(n)                                                                                       \
	{                                                                                          \
		"r" #n, n, n, PTR                                                                  \
	}
static const struct hf_machine_register ppc64[] = {
    R(0),
    {"r1", 1, 1, HF_REG_SP},
    R(2),
    R(3),
    R(4),
    R(5),
    R(6),
    R(7),
    R(8),
    R(9),
    R(10),
    R(11),
    R(12),
    {"r13", 13, 13, HF_REG_TP},
    R(14),
    R(15),
    R(16),
    R(17),
    R(18),
    R(19),
    R(20),
    R(21),
    R(22),
    R(23),
    R(24),
    R(25),
    R(26),
    R(27),
    R(28),
    R(29),
    R(30),
    R(31),
    {"pc", 32, -1, HF_REG_PC},
};
#undef R

#define R(n)                                                                                       \
	{                                                                                          \
		"r" #n, n + 2, n, PTR                                                              \
	}
static const struct hf_machine_register s390x[] = {
    R(0),
    R(1),
    R(2),
    R(3),
    R(4),
    R(5),
    R(6),
    R(7),
    R(8),
    R(9),
    R(10),
    R(11),
    R(12),
    R(13),
    R(14),
    {"r15", 17, 15, HF_REG_SP},
    {"pswa", 1, 65, HF_REG_PC},
    {"acrs", 18, -1, HF_REG_TP}, /* a0 and a1: the thread pointer's halves, big endian */
};
#undef R

static const struct hf_machine machines[] = {
    {EM_X86_64, 8, 32, 112, 128, true, 1, x86_64, COUNT(x86_64)},
    {EM_386, 4, 24, 72, 0, true, 1, i386, COUNT(i386)},
    {EM_AARCH64, 8, 32, 112, 0, false, 0, aarch64, COUNT(aarch64)},
    {EM_RISCV, 8, 32, 112, 0, false, -2, riscv64, COUNT(riscv64)},
    {EM_PPC64, 8, 32, 112, 512, false, 0, ppc64, COUNT(ppc64)},
    {EM_S390, 8, 32, 112, 0, true, 1, s390x, COUNT(s390x)},
};

const struct hf_machine *hf_machine_find(uint16_t machine, uint8_t word_bytes)
{
	for (size_t i = 0; i < COUNT(machines); i++) {
		if (machines[i].machine == machine && machines[i].word_bytes == word_bytes)
			return &machines[i];
	}
	return NULL;
}
