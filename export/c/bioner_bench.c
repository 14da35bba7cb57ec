/* Measures an exported tagger as a server would run it: some callers at once.

     bioner_bench MODEL CALLERS SECONDS [TIMES [BATCH]] < FILE

   FILE holds the texts, one a line; each caller goes round and round through them and sends BATCH
   (default 1) of them a request. Prints a line of JSON for each of TIMES (default 1) periods of so
   many SECONDS. */

#define _POSIX_C_SOURCE 200809L /* clock_gettime, getline, sysconf */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"
#include "model.h"

typedef struct {
  Bytes *items;
  size_t count;
} Texts;

typedef struct {
  const Model *model;
  const Signature *signature;
  const Texts *texts;
  size_t batch;    /* texts a request */
  size_t next;     /* the text to begin with */
  double deadline; /* in seconds of now() */
  double *seconds; /* what each request took */
  size_t count, capacity;
} Caller;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double resident_megabytes(void) {
  long pages = 0;
  FILE *stream = fopen("/proc/self/statm", "r");
  if (stream == NULL || fscanf(stream, "%*d %ld", &pages) != 1) pages = 0;
  if (stream != NULL) fclose(stream);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static Texts read_texts(void) {
  Texts texts = {NULL, 0};
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t size; (size = getline(&line, &capacity, stdin)) >= 0;) {
    if (size > 0 && line[size - 1] == '\n') line[--size] = '\0';
    texts.items = realloc(texts.items, (texts.count + 1) * sizeof *texts.items);
    if (texts.items == NULL) fail("out of memory");
    Bytes text = {(const unsigned char *)line, (size_t)size};
    texts.items[texts.count++] = (Bytes){(unsigned char *)to_string(text), (size_t)size};
  }
  free(line);
  if (texts.count == 0) fail("standard input: expected texts, one a line, got none");
  return texts;
}

static void request(const Model *model, const Signature *signature, const Bytes *texts,
                    size_t count) {
  int64_t dims[] = {(int64_t)count};
  NamedTensor input = {"text", string_tensor(texts, dims, 1)};
  free_outputs(signature, run_signature(model, signature, &input, 1));
  free_string_tensor(input.tensor);
}

static void *call(void *argument) {
  Caller *caller = argument;
  Bytes *batch = allocate(caller->batch, sizeof *batch);
  caller->count = 0;
  for (double before = now(), after; before < caller->deadline; before = after) {
    for (size_t i = 0; i < caller->batch; ++i) {
      batch[i] = caller->texts->items[caller->next];
      caller->next = (caller->next + 1) % caller->texts->count;
    }
    request(caller->model, caller->signature, batch, caller->batch);
    after = now();
    if (caller->count == caller->capacity) {
      caller->capacity = 2 * caller->capacity + 1024;
      caller->seconds = realloc(caller->seconds, caller->capacity * sizeof *caller->seconds);
      if (caller->seconds == NULL) fail("out of memory");
    }
    caller->seconds[caller->count++] = after - before;
  }
  free(batch);
  return NULL;
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

/* Runs all callers for so many seconds and prints the rates and latencies. */
static void measure(Caller *callers, size_t count, double seconds) {
  pthread_t *threads = allocate(count, sizeof *threads);
  double begin = now();
  for (size_t i = 0; i < count; ++i) {
    callers[i].deadline = begin + seconds;
    if (pthread_create(&threads[i], NULL, call, &callers[i]) != 0) fail("cannot start a thread");
  }
  for (size_t i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  double elapsed = now() - begin;
  free(threads);

  size_t total = 0, place = 0;
  for (size_t i = 0; i < count; ++i) total += callers[i].count;
  double *all = allocate(total, sizeof *all);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < callers[i].count; ++j) all[place++] = callers[i].seconds[j];
  }
  qsort(all, total, sizeof *all, compare);
  printf("{\"callers\": %zu, \"batch\": %zu, \"requests\": %zu, \"texts_per_second\": %.2f, "
         "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"resident_megabytes\": %.1f}\n",
         count, callers[0].batch, total, (double)(total * callers[0].batch) / elapsed,
         1e3 * all[total / 2], 1e3 * all[(size_t)(0.99 * (double)(total - 1))], resident_megabytes());
  fflush(stdout);
  free(all);
}

int main(int argc, char **argv) {
  int callers = argc > 2 ? atoi(argv[2]) : 0, times = argc > 4 ? atoi(argv[4]) : 1;
  int batch = argc > 5 ? atoi(argv[5]) : 1;
  double seconds = argc > 3 ? atof(argv[3]) : 0;
  if (argc > 6 || callers < 1 || times < 1 || batch < 1 || seconds <= 0) {
    fprintf(stderr, "usage: %s MODEL CALLERS SECONDS [TIMES [BATCH]] < FILE\n", argv[0]);
    return 2;
  }
  Texts texts = read_texts();
  double begin = now();
  Model model = load_model(argv[1]);
  double loaded = now();
  const Signature *signature = find_signature(&model, "serving_default");
  request(&model, signature, texts.items, 1);
  printf("{\"load_seconds\": %.3f, \"first_answer_seconds\": %.3f}\n", loaded - begin,
         now() - loaded);

  Caller *all = allocate((size_t)callers, sizeof *all);
  for (int i = 0; i < callers; ++i) {
    size_t first = (size_t)i * texts.count / (size_t)callers;
    all[i] = (Caller){.model = &model,
                      .signature = signature,
                      .texts = &texts,
                      .batch = (size_t)batch,
                      .next = first};
  }
  for (int i = 0; i < times; ++i) measure(all, (size_t)callers, seconds);

  for (int i = 0; i < callers; ++i) free(all[i].seconds);
  for (size_t i = 0; i < texts.count; ++i) free((void *)texts.items[i].data);
  free(all);
  free(texts.items);
  close_model(&model);
  return 0;
}
