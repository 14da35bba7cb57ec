#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* Field numbers of tensorflow/core/protobuf/meta_graph.proto. */
enum { META_GRAPH_SIGNATURES = 5 };
enum { SIGNATURE_INPUTS = 1, SIGNATURE_OUTPUTS = 2 };
enum { TENSOR_INFO_NAME = 1 };
enum { MAP_KEY = 1, MAP_VALUE = 2 };

static void check(const TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) fail("%s: %s", what, TF_Message(status));
}

/* "operation:2" -> that operation's third output. */
static TF_Output find_place(TF_Graph *graph, char *tensor) {
  char *colon = strrchr(tensor, ':');
  int index = colon == NULL ? 0 : atoi(colon + 1);
  if (colon != NULL) *colon = '\0';
  TF_Operation *operation = TF_GraphOperationByName(graph, tensor);
  if (operation == NULL) fail("the graph has no operation %s", tensor);
  return (TF_Output){operation, index};
}

/* Reads a map from names to TensorInfo: the inputs (field 1) or outputs (field 2). */
static Endpoints read_endpoints(TF_Graph *graph, Bytes signature, uint32_t number) {
  Endpoints endpoints = {NULL, 0};
  Field field;
  while (next_field(&signature, &field)) {
    if (field.number != number) continue;
    endpoints.items = realloc(endpoints.items, (endpoints.count + 1) * sizeof(Endpoint));
    if (endpoints.items == NULL) fail("out of memory");
    char *tensor = to_string(payload_of(payload_of(field.payload, MAP_VALUE), TENSOR_INFO_NAME));
    endpoints.items[endpoints.count++] = (Endpoint){
        .name = to_string(payload_of(field.payload, MAP_KEY)),
        .place = find_place(graph, tensor),
    };
    free(tensor);
  }
  return endpoints;
}

static void read_signatures(Model *model, Bytes meta_graph) {
  Field field;
  while (next_field(&meta_graph, &field)) {
    if (field.number != META_GRAPH_SIGNATURES) continue;
    char *name = to_string(payload_of(field.payload, MAP_KEY));
    if (strcmp(name, "__saved_model_init_op") == 0) { /* the loader's own */
      free(name);
      continue;
    }
    Bytes signature = payload_of(field.payload, MAP_VALUE);
    size_t size = (model->num_signatures + 1) * sizeof(Signature);
    model->signatures = realloc(model->signatures, size);
    if (model->signatures == NULL) fail("out of memory");
    model->signatures[model->num_signatures++] = (Signature){
        .name = name,
        .inputs = read_endpoints(model->graph, signature, SIGNATURE_INPUTS),
        .outputs = read_endpoints(model->graph, signature, SIGNATURE_OUTPUTS),
    };
  }
}

Model load_model(const char *directory) {
  const char *tags[] = {"serve"};
  Model model = {.graph = TF_NewGraph()};
  TF_Status *status = TF_NewStatus();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Buffer *meta_graph = TF_NewBuffer();
  model.session = TF_LoadSessionFromSavedModel(options, NULL, directory, tags, 1, model.graph,
                                               meta_graph, status);
  check(status, directory);
  read_signatures(&model, (Bytes){meta_graph->data, meta_graph->length});
  TF_DeleteBuffer(meta_graph);
  TF_DeleteSessionOptions(options);
  TF_DeleteStatus(status);
  return model;
}

static void free_endpoints(Endpoints *endpoints) {
  for (size_t i = 0; i < endpoints->count; ++i) free(endpoints->items[i].name);
  free(endpoints->items);
}

void close_model(Model *model) {
  for (size_t i = 0; i < model->num_signatures; ++i) {
    free(model->signatures[i].name);
    free_endpoints(&model->signatures[i].inputs);
    free_endpoints(&model->signatures[i].outputs);
  }
  free(model->signatures);
  TF_Status *status = TF_NewStatus();
  TF_CloseSession(model->session, status);
  TF_DeleteSession(model->session, status);
  TF_DeleteGraph(model->graph);
  TF_DeleteStatus(status);
}

const Signature *find_signature(const Model *model, const char *name) {
  for (size_t i = 0; i < model->num_signatures; ++i) {
    if (strcmp(model->signatures[i].name, name) == 0) return &model->signatures[i];
  }
  fail("the model has no signature %s", name);
}

size_t find_endpoint(const Endpoints *endpoints, const char *name) {
  for (size_t i = 0; i < endpoints->count; ++i) {
    if (strcmp(endpoints->items[i].name, name) == 0) return i;
  }
  fail("the signature has no input or output %s", name);
}

TF_Tensor **run_signature(const Model *model, const Signature *signature,
                          const NamedTensor *inputs, size_t num_inputs) {
  if (num_inputs != signature->inputs.count) {
    fail("%s: expected %zu inputs, got %zu", signature->name, signature->inputs.count, num_inputs);
  }
  size_t num_outputs = signature->outputs.count;
  TF_Output *fed = allocate(num_inputs, sizeof *fed);
  TF_Tensor **values = allocate(num_inputs, sizeof *values);
  for (size_t i = 0; i < num_inputs; ++i) {
    fed[i] = signature->inputs.items[find_endpoint(&signature->inputs, inputs[i].name)].place;
    values[i] = inputs[i].tensor;
  }
  TF_Output *fetched = allocate(num_outputs, sizeof *fetched);
  TF_Tensor **outputs = allocate(num_outputs, sizeof *outputs);
  for (size_t i = 0; i < num_outputs; ++i) fetched[i] = signature->outputs.items[i].place;

  TF_Status *status = TF_NewStatus();
  TF_SessionRun(model->session, NULL, fed, values, (int)num_inputs, fetched, outputs,
                (int)num_outputs, NULL, 0, NULL, status);
  check(status, signature->name);
  TF_DeleteStatus(status);
  free(fed);
  free(values);
  free(fetched);
  return outputs;
}

void free_outputs(const Signature *signature, TF_Tensor **outputs) {
  for (size_t i = 0; i < signature->outputs.count; ++i) TF_DeleteTensor(outputs[i]);
  free(outputs);
}

TF_Tensor *string_tensor(const Bytes *strings, const int64_t *dims, int rank) {
  size_t count = 1;
  for (int i = 0; i < rank; ++i) count *= (size_t)dims[i];
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, dims, rank, count * sizeof(TF_TString));
  TF_TString *slots = TF_TensorData(tensor);
  for (size_t i = 0; i < count; ++i) {
    TF_StringInit(&slots[i]);
    TF_StringCopy(&slots[i], (const char *)strings[i].data, strings[i].size);
  }
  return tensor;
}

void free_string_tensor(TF_Tensor *tensor) {
  /* TensorFlow frees our array of strings, but not the memory that long strings allocated. */
  TF_TString *slots = TF_TensorData(tensor);
  for (int64_t i = TF_TensorElementCount(tensor); i > 0; --i) TF_StringDealloc(&slots[i - 1]);
  TF_DeleteTensor(tensor);
}

Bytes string_at(const TF_Tensor *tensor, size_t place) {
  const TF_TString *slot = (const TF_TString *)TF_TensorData(tensor) + place;
  return (Bytes){(const unsigned char *)TF_StringGetDataPointer(slot), TF_StringGetSize(slot)};
}
