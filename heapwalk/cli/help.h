/*
 * help.h - --help and the manual pages, made from the tables.
 */
#ifndef HF_HEAPWALK_CLI_HELP_H
#define HF_HEAPWALK_CLI_HELP_H

#include <stdio.h>

struct hf_command;

void hf_help_all(FILE *to);
void hf_help_command(const struct hf_command *command, FILE *to);

/* A manual page in man(7): of @command, or of the whole if it is NULL. */
void hf_help_man(const struct hf_command *command, FILE *to);

#endif
