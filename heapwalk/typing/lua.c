/*
 * lua.c - what belongs to Lua (PUC Lua 5.3 and 5.4, 64 bits; LuaJIT is another): every object that
 * its collector knows, and the blocks that these own.
 *
 *	block:	[ extra space | lua_State (main thread) | global_State ]
 *	global_State -> allgc, finobj, tobefnz, fixedgc: lists of objects by their first word
 *	object:	next, tt (8 bits), marked (8), ...
 *
 * No name leads there in a stripped program, but the main thread and the global state point at each
 * other in one block: tt says thread, l_G lies in the block, and mainthread there points back. The
 * layouts are those of lobject.h and lstate.h. An object counts only if its block starts where it
 * does, and is as long as it says; the first one that is not ends its list.
 */
#include <stdio.h>
#include <string.h>

#include "heapwalk/typing/runtime.h"

enum {
	EXTRA_SPACE = 8, /* LUA_EXTRASPACE, in front of each lua_State */
	HEADER_TAG = 8,
	STATE_GLOBAL = 24, /* l_G */
	STATE_CALL = 32,   /* ci */
	CALL_PREVIOUS = 16,
	CALL_NEXT = 24,
	GLOBAL_STRINGS = 48, /* strt.hash */
	LEAST_STATE = 400,   /* bytes of both states, at least */

	STRING_SHORT_LENGTH = 11,
	STRING_LONG_LENGTH = 16,
	STRING_TEXT = 24,
	LONG_STRING = 0x14,
	TABLE_BYTES = 56,
	TABLE_LOG2_NODES = 11,
	TABLE_ARRAY = 16,
	TABLE_NODES = 24,
	TABLE_META = 40,
	CLOSURE_COUNT = 10,
	CLOSURE_UPVALUES = 32,
	C_CLOSURE = 2, /* variant of a closure */
	VALUE_BYTES = 16,
	USERDATA_BYTES = 32,
	MAX_LOG2_NODES = 30,
	MAX_NAME = 80,
	MAX_META_NODES = 1024,
	LISTS = 4,
	PROTO_PARTS = 7,
};

enum kind { KIND_NONE, STRING, TABLE, CLOSURE, USERDATA, THREAD, PROTO, UPVALUE };

struct part {
	uint16_t offset;
	const char *name;
};

struct lua_layout {
	uint16_t main_thread; /* in global_State */
	uint16_t lists[LISTS];
	uint16_t stack; /* in lua_State */
	uint16_t userdata_meta;
	uint16_t node_bytes, key, key_tag; /* of a table's node */
	uint8_t proto_tag;
	uint16_t proto_bytes;
	struct part proto[PROTO_PARTS];
};

static const struct lua_layout layouts[] = {
    {
	/* 5.4 */
	.main_thread = 264,
	.lists = {112, 128, 176, 184},
	.stack = 48,
	.userdata_meta = 24,
	.node_bytes = 24,
	.key = 16,
	.key_tag = 9,
	.proto_tag = 10,
	.proto_bytes = 128,
	.proto = {{56, "Lua constants"},
		  {64, "Lua code"},
		  {72, "Lua prototypes of a function"},
		  {80, "Lua upvalue descriptions"},
		  {88, "Lua line info"},
		  {96, "Lua line info"},
		  {104, "Lua local variables' names"}},
    },
    {
	/* 5.3 */
	.main_thread = 200,
	.lists = {88, 104, 152, 160},
	.stack = 56,
	.userdata_meta = 16,
	.node_bytes = 32,
	.key = 16,
	.key_tag = 24,
	.proto_tag = 9,
	.proto_bytes = 120,
	.proto = {{48, "Lua constants"},
		  {56, "Lua code"},
		  {64, "Lua prototypes of a function"},
		  {72, "Lua line info"},
		  {80, "Lua local variables' names"},
		  {88, "Lua upvalue descriptions"}},
    },
};

struct lua {
	struct hf_typing *typing;
	const struct lua_layout *layout; /* of the state that is walked */
	uint64_t meta;			 /* the last metatable whose name was asked for */
	char meta_name[MAX_NAME + 16];
};

/* ---- reading --------------------------------------------------------------------------------- */

static uint64_t word_at(const struct lua *lua, uint64_t address)
{
	return typing_word(lua->typing, address);
}

static uint8_t byte_at(const struct lua *lua, uint64_t address)
{
	uint8_t byte = 0;
	return hf_image_read(&lua->typing->process->image, address, &byte, 1) ? byte : 0;
}

static bool own(const struct lua *lua, uint64_t address, const char *name, uint64_t bytes)
{
	return address && typing_own(lua->typing, address, name, bytes);
}

static enum kind kind_of(const struct lua *lua, uint8_t tag)
{
	static const uint8_t kinds[16] = {
	    [4] = STRING, [5] = TABLE, [6] = CLOSURE, [7] = USERDATA, [8] = THREAD, [9] = UPVALUE};
	return (tag & 15) == lua->layout->proto_tag ? PROTO : kinds[tag & 15];
}

/* ---- the name of a userdata ------------------------------------------------------------------ */

static bool string_at(const struct lua *lua, uint64_t string, char *buffer, size_t size)
{
	return string && (byte_at(lua, string + HEADER_TAG) & 15) == 4 &&
	       hf_image_string(&lua->typing->process->image, string + STRING_TEXT, buffer, size);
}

/* The value of __name in the metatable @table, as luaL_newmetatable() sets it. */
static bool find_meta_name(const struct lua *lua, uint64_t table, char *name, size_t size)
{
	const struct lua_layout *layout = lua->layout;
	unsigned log2 = byte_at(lua, table + TABLE_LOG2_NODES);
	uint64_t node = word_at(lua, table + TABLE_NODES);
	char key[8];

	for (uint64_t i = 0; log2 < 32 && i < UINT64_C(1) << log2 && i < MAX_META_NODES; i++) {
		uint64_t at = node + i * layout->node_bytes;
		if ((byte_at(lua, at + layout->key_tag) & 15) == 4 &&
		    string_at(lua, word_at(lua, at + layout->key), key, sizeof(key)) &&
		    !strcmp(key, "__name") && (byte_at(lua, at + 8) & 15) == 4)
			return string_at(lua, word_at(lua, at), name, size);
	}
	return false;
}

static const char *userdata_name(struct lua *lua, uint64_t userdata)
{
	uint64_t meta = word_at(lua, userdata + lua->layout->userdata_meta);
	char name[MAX_NAME];

	if (!meta)
		return "Lua userdata";
	if (meta == lua->meta)
		return lua->meta_name;
	lua->meta = meta;
	snprintf(lua->meta_name, sizeof(lua->meta_name), "Lua userdata");
	if (find_meta_name(lua, meta, name, sizeof(name)) && name[0] &&
	    typing_text_length((const uint8_t *)name, strlen(name)) == strlen(name))
		snprintf(lua->meta_name, sizeof(lua->meta_name), "Lua %s", name);
	return lua->meta_name;
}

/* ---- objects and what they own --------------------------------------------------------------- */

static bool type_string(const struct lua *lua, uint64_t at, uint8_t tag)
{
	uint64_t length = (tag & 0x3f) == LONG_STRING ? word_at(lua, at + STRING_LONG_LENGTH)
						      : byte_at(lua, at + STRING_SHORT_LENGTH);
	return length < UINT64_MAX / 2 && own(lua, at, "Lua string", STRING_TEXT + length + 1);
}

static bool type_table(const struct lua *lua, uint64_t at)
{
	unsigned log2 = byte_at(lua, at + TABLE_LOG2_NODES);

	if (!own(lua, at, "Lua table", TABLE_BYTES))
		return false;
	own(lua, word_at(lua, at + TABLE_ARRAY), "Lua table's array", VALUE_BYTES);
	if (log2 <= MAX_LOG2_NODES)
		own(lua, word_at(lua, at + TABLE_NODES), "Lua table's nodes",
		    (uint64_t)lua->layout->node_bytes << log2);
	return true;
}

static bool type_closure(const struct lua *lua, uint64_t at, uint8_t tag)
{
	uint64_t count = byte_at(lua, at + CLOSURE_COUNT);

	if ((tag >> 4 & 3) == C_CLOSURE)
		return own(lua, at, "Lua C function", CLOSURE_UPVALUES + count * VALUE_BYTES);
	if (!own(lua, at, "Lua function", CLOSURE_UPVALUES + count * 8))
		return false;
	/* 5.3 counts references to upvalues, they are on no list. */
	for (uint64_t i = 0; i < count && lua->layout->proto_tag == 9; i++)
		own(lua, word_at(lua, at + CLOSURE_UPVALUES + i * 8), "Lua upvalue", 0);
	return true;
}

static bool type_proto(const struct lua *lua, uint64_t at)
{
	if (!own(lua, at, "Lua prototype", lua->layout->proto_bytes))
		return false;
	for (unsigned i = 0; i < PROTO_PARTS && lua->layout->proto[i].name; i++) {
		const struct part *part = &lua->layout->proto[i];
		own(lua, word_at(lua, at + part->offset), part->name, 0);
	}
	return true;
}

static bool type_thread(const struct lua *lua, uint64_t at, const char *name)
{
	if (!own(lua, at - EXTRA_SPACE, name, 0))
		return false;
	own(lua, word_at(lua, at + lua->layout->stack), "Lua stack", 0);
	/* Calls are kept for later: the list goes on behind the present one. */
	uint64_t call = word_at(lua, at + STATE_CALL);
	for (uint64_t next = call; own(lua, next, "Lua call", CALL_NEXT + 8);)
		next = word_at(lua, next + CALL_NEXT);
	for (uint64_t back = word_at(lua, call + CALL_PREVIOUS);
	     own(lua, back, "Lua call", CALL_NEXT + 8);)
		back = word_at(lua, back + CALL_PREVIOUS);
	/* The first call is part of the state: what follows it if that is the present one. */
	for (uint64_t next = word_at(lua, call + CALL_NEXT);
	     own(lua, next, "Lua call", CALL_NEXT + 8);)
		next = word_at(lua, next + CALL_NEXT);
	return true;
}

static bool type_object(struct lua *lua, uint64_t at)
{
	uint8_t tag = byte_at(lua, at + HEADER_TAG);

	switch (kind_of(lua, tag)) {
	case STRING:
		return type_string(lua, at, tag);
	case TABLE:
		return type_table(lua, at);
	case CLOSURE:
		return type_closure(lua, at, tag);
	case USERDATA:
		return own(lua, at, userdata_name(lua, at), USERDATA_BYTES);
	case THREAD:
		return type_thread(lua, at, "Lua thread");
	case PROTO:
		return type_proto(lua, at);
	case UPVALUE:
		return own(lua, at, "Lua upvalue", 0);
	case KIND_NONE:
		break;
	}
	return false;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* The global state, if @block holds it and the main thread. */
static uint64_t global_in(struct lua *lua, uint64_t block, uint64_t usable)
{
	uint64_t thread = block + EXTRA_SPACE, global = word_at(lua, thread + STATE_GLOBAL);

	if (global <= thread || global - block > usable - EXTRA_SPACE)
		return 0;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		lua->layout = &layouts[i];
		if (word_at(lua, global + lua->layout->main_thread) == thread &&
		    kind_of(lua, byte_at(lua, thread + HEADER_TAG)) == THREAD)
			return global;
	}
	return 0;
}

static void walk_state(struct lua *lua, uint64_t block, uint64_t global)
{
	type_thread(lua, block + EXTRA_SPACE, "Lua state");
	own(lua, word_at(lua, global + GLOBAL_STRINGS), "Lua table of strings", 0);
	for (int i = 0; i < LISTS; i++) {
		uint64_t at = word_at(lua, global + lua->layout->lists[i]);
		while (at && type_object(lua, at))
			at = word_at(lua, at);
	}
}

static void lua_begin(void *state)
{
	struct lua *lua = state;
	const struct hf_extents *extents = lua->typing->extents;

	for (uint32_t id = 0; id < hf_extents_count(extents); id++) {
		uint64_t block = hf_extents_address(extents, id);
		uint64_t usable = hf_extents_usable(extents, id);
		uint64_t global = usable < LEAST_STATE ? 0 : global_in(lua, block, usable);
		if (global)
			walk_state(lua, block, global);
	}
}

const struct typing_runtime typing_lua = {
    .name = "Lua",
    .symbol = "lua_newstate",
    .state_bytes = sizeof(struct lua),
    .begin = lua_begin,
};
