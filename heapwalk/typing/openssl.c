/*
 * openssl.c - OpenSSL 3's BIOs, SSL and SSL_CTX by their method tables, and its hash tables
 * (64 bits).
 *
 *	BIO:	  libctx, method -> { type (32 bits), name, 9 functions of which ctrl is at +64 }
 *	SSL:	  version (32 bits), 0, method -> { version, flags, mask, functions }, rbio, wbio
 *		  (3.0, 3.1)
 *	SSL_CTX:  libctx, method, cipher_list, ...
 *	LHASH:	  buckets, compare, hash, num_nodes, num_alloc_nodes, p, pmax, up_load,
 *		  down_load, ...
 *
 * A method table is data of a module that has text or figures of OpenSSL's, and functions of the
 * same module. A hash table has the two loads that OpenSSL gives to all: 512 and 256. Keys,
 * certificates and the rest have no such mark, and are left.
 */
#include <stdio.h>
#include <string.h>

#include "heapwalk/typing/runtime.h"

enum {
	METHOD = 8, /* of BIO, SSL and SSL_CTX */
	LEAST_BIO = 104,
	BIO_NAME = 8,
	BIO_CTRL = 64,
	BIO_CLASSES = 0x700, /* descriptor, filter, source or sink: one of them, or two */
	MAX_BIO_TYPE = 0x1000,
	MAX_NAME = 48,

	LEAST_SSL = 512,
	SSL_READ_BIO = 16,
	SSL_NEW = 16, /* the first of a method's functions */
	SSL_FUNCTIONS = 3,

	TABLE_BYTES = 64,
	TABLE_COMPARE = 8,
	TABLE_HASH = 16,
	TABLE_NODES = 24,
	TABLE_ALLOCATED = 28,
	TABLE_UP_LOAD = 40,
	TABLE_DOWN_LOAD = 48,
	UP_LOAD = 512,
	DOWN_LOAD = 256,
	NODE_NEXT = 8,
	NODE_BYTES = 24,
};

enum method_kind { METHOD_NONE, METHOD_BIO, METHOD_SSL };

/* The last method table that was looked at: many objects in a row have the same. */
struct method {
	uint64_t address;
	enum method_kind kind;
	uint32_t type; /* of a BIO with it */
};

struct openssl {
	struct hf_typing *typing;
	struct method method;
	uint32_t ssl, context, table;
};

static void openssl_begin(void *state)
{
	struct openssl *openssl = state;
	struct hf_typing *typing = openssl->typing;

	openssl->ssl = typing_intern(typing, HF_TYPE_RUNTIME, "SSL", 0);
	openssl->context = typing_intern(typing, HF_TYPE_RUNTIME, "SSL_CTX", 0);
	openssl->table = typing_intern(typing, HF_TYPE_RUNTIME, "OpenSSL LHASH", 0);
}

/* ---- method tables --------------------------------------------------------------------------- */

/* The module at @address, HF_NO_INDEX for none; *@ret_code: it is code. */
static uint32_t module_at(const struct openssl *openssl, uint64_t address, bool *ret_code)
{
	const struct hf_mapping *mapping =
	    address ? hf_process_mapping(openssl->typing->process, address) : NULL;

	*ret_code = mapping && (mapping->flags & HF_SEGMENT_X);
	return mapping ? mapping->module : HF_NO_INDEX;
}

static bool is_code(const struct openssl *openssl, uint64_t address, uint32_t module)
{
	bool code;
	return module_at(openssl, address, &code) == module && code;
}

static uint32_t bio_type(const struct openssl *openssl, uint64_t method, uint32_t module)
{
	struct hf_typing *typing = openssl->typing;
	uint32_t type = typing_u32(typing, method);
	uint64_t text = typing_word(typing, method + BIO_NAME);
	char name[MAX_NAME], full[MAX_NAME + 16];
	bool code;

	if (!(type & BIO_CLASSES) || type >= MAX_BIO_TYPE ||
	    !is_code(openssl, typing_word(typing, method + BIO_CTRL), module) ||
	    module_at(openssl, text, &code) != module || code ||
	    !hf_image_string(&typing->process->image, text, name, sizeof(name)))
		return TYPE_NONE;
	size_t length = strlen(name);
	if (length < 2 || typing_text_length((const uint8_t *)name, length) != length)
		return TYPE_NONE;
	snprintf(full, sizeof(full), "OpenSSL BIO %s", name);
	return typing_intern(typing, HF_TYPE_RUNTIME, full, 0);
}

/* SSL 3 to TLS 1.3, DTLS, and "any" of both. */
static bool is_version(uint64_t version)
{
	return (version >= 0x300 && version <= 0x304) || version == 0xfeff || version == 0xfefd ||
	       version == 0x10000 || version == 0x1ffff;
}

static bool is_ssl_method(const struct openssl *openssl, uint64_t method, uint32_t module)
{
	if (!is_version(typing_u32(openssl->typing, method)))
		return false;
	for (unsigned i = 0; i < SSL_FUNCTIONS; i++) {
		uint64_t function = typing_word(openssl->typing, method + SSL_NEW + i * 8);
		if (!is_code(openssl, function, module))
			return false;
	}
	return true;
}

static const struct method *method_at(struct openssl *openssl, uint64_t address)
{
	struct method *method = &openssl->method;
	bool code;

	if (method->address == address)
		return method;
	*method = (struct method){.address = address, .type = TYPE_NONE};
	uint32_t module = address % 8 ? HF_NO_INDEX : module_at(openssl, address, &code);
	if (module == HF_NO_INDEX || code)
		return method;
	method->type = bio_type(openssl, address, module);
	if (method->type != TYPE_NONE)
		method->kind = METHOD_BIO;
	else if (is_ssl_method(openssl, address, module))
		method->kind = METHOD_SSL;
	return method;
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool is_bio(struct openssl *openssl, uint64_t address)
{
	return method_at(openssl, typing_word(openssl->typing, address + METHOD))->kind ==
	       METHOD_BIO;
}

static bool is_table(const struct openssl *openssl, uint64_t table)
{
	const struct hf_typing *typing = openssl->typing;
	uint64_t buckets = typing_word(typing, table);
	uint32_t nodes = typing_u32(typing, table + TABLE_NODES);
	uint32_t allocated = typing_u32(typing, table + TABLE_ALLOCATED);
	uint32_t object = hf_extents_find(typing->extents, buckets);
	bool compares, hashes;

	if (typing_word(typing, table + TABLE_UP_LOAD) != UP_LOAD ||
	    typing_word(typing, table + TABLE_DOWN_LOAD) != DOWN_LOAD || nodes > allocated ||
	    object == HF_NO_OBJECT || hf_extents_address(typing->extents, object) != buckets ||
	    hf_extents_usable(typing->extents, object) < (uint64_t)allocated * 8)
		return false;
	module_at(openssl, typing_word(typing, table + TABLE_COMPARE), &compares);
	module_at(openssl, typing_word(typing, table + TABLE_HASH), &hashes);
	return compares && hashes;
}

static uint32_t openssl_type_of(void *state, uint32_t object, const uint8_t *data, uint64_t bytes)
{
	struct openssl *openssl = state;
	struct hf_typing *typing = openssl->typing;
	uint64_t address = hf_extents_address(typing->extents, object);

	(void)data;
	if (bytes >= TABLE_BYTES && is_table(openssl, address))
		return openssl->table;
	if (bytes < LEAST_BIO)
		return TYPE_NONE;
	struct method method = *method_at(openssl, typing_word(typing, address + METHOD));
	if (method.kind == METHOD_BIO)
		return method.type;
	if (method.kind != METHOD_SSL || bytes < LEAST_SSL)
		return TYPE_NONE;
	uint64_t first = typing_word(typing, address);
	uint64_t bio = typing_word(typing, address + SSL_READ_BIO);
	if (first && is_version(first))
		return !bio || is_bio(openssl, bio) ? openssl->ssl : TYPE_NONE;
	/* The library's own context, or one of the program's. */
	return !first || hf_extents_find(typing->extents, first) != HF_NO_OBJECT ? openssl->context
										 : TYPE_NONE;
}

static void openssl_spread(void *state, uint32_t object, uint32_t type)
{
	const struct openssl *openssl = state;
	struct hf_typing *typing = openssl->typing;
	uint64_t table = hf_extents_address(typing->extents, object);

	if (type != openssl->table)
		return;
	uint64_t buckets = typing_word(typing, table);
	uint32_t count = typing_u32(typing, table + TABLE_NODES);
	if (!typing_own(typing, buckets, "OpenSSL LHASH buckets", 0))
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t node = typing_word(typing, buckets + (uint64_t)i * 8);
		while (typing_own(typing, node, "OpenSSL LHASH node", NODE_BYTES))
			node = typing_word(typing, node + NODE_NEXT);
	}
}

const struct typing_runtime typing_openssl = {
    .name = "OpenSSL",
    .symbol = "OSSL_LIB_CTX_new", /* of OpenSSL 3: 1.1 has it not */
    .state_bytes = sizeof(struct openssl),
    .begin = openssl_begin,
    .type_of = openssl_type_of,
    .spread = openssl_spread,
};
