/*
 * seed.c - a small process with something of everything, for the fuzz corpus: two arenas, every
 * kind of free list, a mapped block, a leak, a cycle, a foreign sbrk. It dies by SIGABRT.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node {
	struct node *next;
	char text[24];
};

struct node *list;
void *kept[8];
static pthread_barrier_t barrier;

static void use_heap(void)
{
	void *blocks[24];
	for (int i = 0; i < 24; i++)
		blocks[i] = malloc(24u + (size_t)i * (i & 1 ? 8 : 60));
	for (int i = 0; i < 24; i += 2)
		free(blocks[i]);
	free(blocks[3]);
	for (int i = 0; i < 10; i++)
		free(memset(malloc(40), 0, 40));
	free(malloc(2000)); /* consolidates what it can */
	for (int i = 0; i < 12; i++) {
		struct node *node = calloc(1, sizeof(*node));
		node->next = list;
		strcpy(node->text, "a node of the list");
		list = node;
	}
	struct node *lost = calloc(1, sizeof(*lost));
	lost->next = lost;
	memset(blocks, 0, sizeof(blocks));
}

static void *worker(void *unused)
{
	use_heap();
	kept[1] = malloc(100);
	pthread_barrier_wait(&barrier);
	pause();
	return unused;
}

int main(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	mallopt(M_TOP_PAD, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	pthread_barrier_init(&barrier, NULL, 2);
	use_heap();
	if (sbrk(8192) == (void *)-1)
		return 1;
	kept[0] = malloc(9000);
	kept[2] = calloc(1, 140000);
	pthread_create(&thread, &attr, worker, NULL);
	pthread_barrier_wait(&barrier);
	raise(SIGABRT);
	return 0;
}
