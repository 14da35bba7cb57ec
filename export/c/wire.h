/* Protobuf's wire format and TFRecord files, as far as a SavedModel's signatures and TensorFlow
   Serving's warm-up requests need them. Nothing is copied: what is found points into the bytes
   that were read. */
#ifndef BIONER_WIRE_H_
#define BIONER_WIRE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const unsigned char *data;
  size_t size;
} Bytes;

typedef struct {
  uint32_t number;
  uint64_t value; /* of a varint */
  Bytes payload;  /* of a length-delimited field */
} Field;

/* Takes the next field of a message; false at the message's end. */
bool next_field(Bytes *message, Field *field);

/* The last payload of a field of a message, empty where it has none. */
Bytes payload_of(Bytes message, uint32_t number);

/* Takes the first varint of packed ones. */
uint64_t next_varint(Bytes *packed);

/* Takes the next record of a TFRecord file; false at the file's end. Checksums are not checked. */
bool next_record(Bytes *file, Bytes *record);

/* All of a file; to be freed by free((void *)bytes.data). */
Bytes read_file(const char *path);

/* A copy that ends in NUL. */
char *to_string(Bytes bytes);

#endif
