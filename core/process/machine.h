/*
 * machine.h - what differs from machine to machine: register layouts, TLS, red zone.
 */
#ifndef HF_CORE_PROCESS_MACHINE_H
#define HF_CORE_PROCESS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

enum { HF_REG_POINTER = 1, HF_REG_PC = 2, HF_REG_SP = 4, HF_REG_TP = 8, HF_REG_GS = 16 };

struct hf_machine_register {
	const char *name;
	uint8_t index; /* in pr_reg, in words */
	int8_t dwarf;  /* DWARF number, -1 if it has none */
	uint8_t role;  /* HF_REG_* bits; POINTER: a general register, a root */
};

struct hf_machine {
	uint16_t machine;
	uint8_t word_bytes;
	uint16_t prstatus_pid, prstatus_registers; /* offsets in NT_PRSTATUS */
	uint16_t red_zone;			   /* bytes */
	bool tls_below;				   /* variant II: TLS blocks lie below tp */
	int8_t dtv_words;			   /* where the dtv pointer is, from tp, in words */
	const struct hf_machine_register *registers;
	uint8_t register_count;
};

/* The description of @machine, or NULL if it is not known. */
const struct hf_machine *hf_machine_find(uint16_t machine, uint8_t word_bytes);

#endif
