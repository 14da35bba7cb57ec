/* An exported tagger through TensorFlow's C API: what TensorFlow Serving does, in small. */
#ifndef BIONER_MODEL_H_
#define BIONER_MODEL_H_

#include <stddef.h>

#include "tensorflow/c/c_api.h"
#include "wire.h"

/* An input or output of a signature: its name there, and its place in the graph. */
typedef struct {
  char *name;
  TF_Output place;
} Endpoint;

typedef struct {
  Endpoint *items;
  size_t count;
} Endpoints;

typedef struct {
  char *name;
  Endpoints inputs, outputs;
} Signature;

typedef struct {
  TF_Graph *graph;
  TF_Session *session;
  Signature *signatures;
  size_t num_signatures;
} Model;

/* A tensor for an input of a signature. */
typedef struct {
  const char *name;
  TF_Tensor *tensor;
} NamedTensor;

Model load_model(const char *directory);
void close_model(Model *model);

/* The signature of that name; it is an error if there is none. */
const Signature *find_signature(const Model *model, const char *name);

/* The place of an input or output among those of its signature; it is an error if there is none. */
size_t find_endpoint(const Endpoints *endpoints, const char *name);

/* Runs a signature. Returns its outputs, in the order of signature->outputs; to be given to
   free_outputs. May be called from several threads at once. */
TF_Tensor **run_signature(const Model *model, const Signature *signature,
                          const NamedTensor *inputs, size_t num_inputs);
void free_outputs(const Signature *signature, TF_Tensor **outputs);

/* A tensor of strings, which are copied; to be given to free_string_tensor. */
TF_Tensor *string_tensor(const Bytes *strings, const int64_t *dims, int rank);
void free_string_tensor(TF_Tensor *tensor);

/* The string at a place of a tensor, which must outlive it. */
Bytes string_at(const TF_Tensor *tensor, size_t place);

#endif
