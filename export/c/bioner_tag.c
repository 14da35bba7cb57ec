/* Tags text with an exported tagger, without Python:

     bioner_tag [--signature=NAME] MODEL TEXT...    tags its arguments
     bioner_tag [--signature=NAME] MODEL < FILE     tags standard input, one text a line
     bioner_tag --warmup MODEL                      replays the export's warm-up requests

   A text gives one line of JSON: {"entities": [{"start", "end", "type", "text", "score"}, ...]}
   and "corpus" beside them where the signature has it (serving_default, tag_text_all).
   A warm-up request gives one, too: its signature and the shape of each output. */

#define _POSIX_C_SOURCE 200809L /* getline */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "model.h"
#include "wire.h"

static const char SIGNATURE_FLAG[] = "--signature=";
static const char WARMUP_FLAG[] = "--warmup";

/* Field numbers of tensorflow_serving/apis/{prediction_log,predict,model}.proto. */
enum { LOG_PREDICT_LOG = 6, PREDICT_LOG_REQUEST = 1 };
enum { REQUEST_MODEL_SPEC = 1, REQUEST_INPUTS = 2, MODEL_SPEC_SIGNATURE = 3 };
enum { MAP_KEY = 1, MAP_VALUE = 2 };
/* Field numbers of tensorflow/core/framework/{tensor,tensor_shape}.proto. */
enum { TENSOR_DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4, TENSOR_INTS = 7, TENSOR_STRINGS = 8 };
enum { SHAPE_DIM = 2, DIM_SIZE = 1 };

enum { MAX_RANK = 8, MAX_INPUTS = 8 };

static void print_string(Bytes string) {
  putchar('"');
  for (size_t i = 0; i < string.size; ++i) {
    unsigned char byte = string.data[i];
    if (byte == '"' || byte == '\\') putchar('\\');
    if (byte < 0x20) {
      printf("\\u%04x", byte);
    } else {
      putchar(byte);
    }
  }
  putchar('"');
}

/* Prints the entities of each text, a line each. */
static void tag(const Model *model, const Signature *signature, const Bytes *texts, size_t count) {
  int64_t dims[] = {(int64_t)count};
  NamedTensor input = {"text", string_tensor(texts, dims, 1)};
  TF_Tensor **outputs = run_signature(model, signature, &input, 1);
  const TF_Tensor *columns[6];
  const char *names[] = {"entity_count", "entity_start", "entity_end",
                         "entity_type",  "entity_text",  "entity_score"};
  for (size_t i = 0; i < 6; ++i) columns[i] = outputs[find_endpoint(&signature->outputs, names[i])];
  const TF_Tensor *corpora = NULL;
  for (size_t i = 0; i < signature->outputs.count; ++i) {
    if (strcmp(signature->outputs.items[i].name, "entity_corpus") == 0) corpora = outputs[i];
  }
  const int32_t *counts = TF_TensorData(columns[0]);
  const int32_t *starts = TF_TensorData(columns[1]), *ends = TF_TensorData(columns[2]);
  const float *scores = TF_TensorData(columns[5]);
  size_t width = (size_t)TF_Dim(columns[1], 1);
  for (size_t row = 0; row < count; ++row) {
    printf("{\"entities\": [");
    for (size_t i = 0; i < (size_t)counts[row]; ++i) {
      size_t place = row * width + i;
      printf("%s{\"start\": %d, \"end\": %d, \"type\": ", i ? ", " : "", starts[place], ends[place]);
      print_string(string_at(columns[3], place));
      printf(", \"text\": ");
      print_string(string_at(columns[4], place));
      printf(", \"score\": %.6f", scores[place]);
      if (corpora != NULL) {
        printf(", \"corpus\": ");
        print_string(string_at(corpora, place));
      }
      putchar('}');
    }
    printf("]}\n");
  }
  fflush(stdout);
  free_outputs(signature, outputs);
  free_string_tensor(input.tensor);
}

static void tag_arguments(const Model *model, const Signature *signature, char **texts, int count) {
  Bytes *strings = allocate((size_t)count, sizeof *strings);
  for (int i = 0; i < count; ++i) {
    strings[i] = (Bytes){(const unsigned char *)texts[i], strlen(texts[i])};
  }
  tag(model, signature, strings, (size_t)count);
  free(strings);
}

static void tag_lines(const Model *model, const Signature *signature) {
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t size; (size = getline(&line, &capacity, stdin)) >= 0;) {
    if (size > 0 && line[size - 1] == '\n') --size;
    if (size > 0 && line[size - 1] == '\r') --size;
    tag(model, signature, &(Bytes){(const unsigned char *)line, (size_t)size}, 1);
  }
  free(line);
}

/* Makes the tensor that a TensorProto describes; it handles the kinds that warm-up requests have. */
static TF_Tensor *to_tensor(Bytes proto) {
  Bytes shape = payload_of(proto, TENSOR_SHAPE), content = payload_of(proto, TENSOR_CONTENT);
  int64_t dims[MAX_RANK];
  int rank = 0;
  size_t count = 1;
  Field field, size;
  while (next_field(&shape, &field)) {
    if (field.number != SHAPE_DIM) continue;
    if (rank == MAX_RANK) fail("a warm-up request has a tensor of more than %d axes", MAX_RANK);
    dims[rank] = 0;
    while (next_field(&field.payload, &size)) {
      if (size.number == DIM_SIZE) dims[rank] = (int64_t)size.value;
    }
    count *= (size_t)dims[rank++];
  }
  int dtype = 0;
  size_t num_strings = 0, num_ints = 0;
  Bytes *strings = allocate(count, sizeof *strings);
  int32_t *ints = allocate(count, sizeof *ints);
  while (next_field(&proto, &field)) {
    if (field.number == TENSOR_DTYPE) dtype = (int)field.value;
    if (field.number == TENSOR_STRINGS && num_strings < count) strings[num_strings++] = field.payload;
    while (field.number == TENSOR_INTS && field.payload.size && num_ints < count) {
      ints[num_ints++] = (int32_t)next_varint(&field.payload);
    }
  }
  TF_Tensor *tensor = NULL;
  if (dtype == TF_STRING && num_strings == count) {
    tensor = string_tensor(strings, dims, rank);
  } else if (dtype == TF_INT32 && (num_ints == count || content.size == count * sizeof *ints)) {
    if (content.size) memcpy(ints, content.data, content.size);
    tensor = TF_AllocateTensor(TF_INT32, dims, rank, count * sizeof *ints);
    memcpy(TF_TensorData(tensor), ints, count * sizeof *ints);
  } else {
    fail("a warm-up request has a tensor that is neither of strings nor of int32, or not whole");
  }
  free(strings);
  free(ints);
  return tensor;
}

static void print_shapes(const Signature *signature, TF_Tensor **outputs) {
  printf("{\"signature\": \"%s\", \"outputs\": {", signature->name);
  for (size_t i = 0; i < signature->outputs.count; ++i) {
    printf("%s\"%s\": [", i ? ", " : "", signature->outputs.items[i].name);
    for (int axis = 0; axis < TF_NumDims(outputs[i]); ++axis) {
      printf("%s%lld", axis ? ", " : "", (long long)TF_Dim(outputs[i], axis));
    }
    putchar(']');
  }
  printf("}}\n");
}

static void replay(const Model *model, Bytes request) {
  char *name = to_string(payload_of(payload_of(request, REQUEST_MODEL_SPEC), MODEL_SPEC_SIGNATURE));
  const Signature *signature = find_signature(model, name);
  free(name);
  NamedTensor inputs[MAX_INPUTS];
  char *names[MAX_INPUTS];
  size_t count = 0;
  Field field;
  while (next_field(&request, &field)) {
    if (field.number != REQUEST_INPUTS) continue;
    if (count == MAX_INPUTS) fail("a warm-up request has more than %d inputs", MAX_INPUTS);
    names[count] = to_string(payload_of(field.payload, MAP_KEY));
    inputs[count].name = names[count];
    inputs[count++].tensor = to_tensor(payload_of(field.payload, MAP_VALUE));
  }
  TF_Tensor **outputs = run_signature(model, signature, inputs, count);
  print_shapes(signature, outputs);
  free_outputs(signature, outputs);
  for (size_t i = 0; i < count; ++i) {
    bool is_string = TF_TensorType(inputs[i].tensor) == TF_STRING;
    (is_string ? free_string_tensor : TF_DeleteTensor)(inputs[i].tensor);
    free(names[i]);
  }
}

static void replay_all(const Model *model, const char *directory) {
  char path[4096];
  snprintf(path, sizeof path, "%s/assets.extra/tf_serving_warmup_requests", directory);
  Bytes content = read_file(path), rest = content, record;
  while (next_record(&rest, &record)) {
    replay(model, payload_of(payload_of(record, LOG_PREDICT_LOG), PREDICT_LOG_REQUEST));
  }
  free((void *)content.data);
}

int main(int argc, char **argv) {
  const char *name = "serving_default";
  bool warmup = false;
  int next = 1;
  for (; next < argc && strncmp(argv[next], "--", 2) == 0; ++next) {
    if (strncmp(argv[next], SIGNATURE_FLAG, sizeof SIGNATURE_FLAG - 1) == 0) {
      name = argv[next] + sizeof SIGNATURE_FLAG - 1;
    } else if (strcmp(argv[next], WARMUP_FLAG) == 0) {
      warmup = true;
    } else {
      break;
    }
  }
  if (next >= argc || strncmp(argv[next], "--", 2) == 0) {
    fprintf(stderr, "usage: %s [--signature=NAME] [--warmup] MODEL [TEXT...]\n", argv[0]);
    return 2;
  }
  const char *directory = argv[next++];
  Model model = load_model(directory);
  if (warmup) {
    replay_all(&model, directory);
  } else if (next < argc) {
    tag_arguments(&model, find_signature(&model, name), argv + next, argc - next);
  } else {
    tag_lines(&model, find_signature(&model, name));
  }
  close_model(&model);
  return 0;
}
