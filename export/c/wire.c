#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { VARINT = 0, EIGHT_BYTES = 1, DELIMITED = 2, FOUR_BYTES = 5 };

static Bytes take(Bytes *rest, uint64_t size) {
  if (size > rest->size) fail("a message ends early: expected %llu bytes more, got %zu",
                              (unsigned long long)size, rest->size);
  Bytes taken = {rest->data, (size_t)size};
  rest->data += size;
  rest->size -= (size_t)size;
  return taken;
}

static uint64_t little_endian(Bytes bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size; i > 0; --i) value = value << 8 | bytes.data[i - 1];
  return value;
}

uint64_t next_varint(Bytes *packed) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    unsigned char byte = *take(packed, 1).data;
    value |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail("a message holds a number of more than 64 bits");
}

bool next_field(Bytes *message, Field *field) {
  if (message->size == 0) return false;
  uint64_t key = next_varint(message);
  *field = (Field){.number = (uint32_t)(key >> 3)};
  switch (key & 7) {
    case VARINT: field->value = next_varint(message); break;
    case EIGHT_BYTES: field->value = little_endian(take(message, 8)); break;
    case DELIMITED: field->payload = take(message, next_varint(message)); break;
    case FOUR_BYTES: field->value = little_endian(take(message, 4)); break;
    default: fail("a message holds a field of unknown wire type %d", (int)(key & 7));
  }
  return true;
}

Bytes payload_of(Bytes message, uint32_t number) {
  Bytes found = {NULL, 0};
  Field field;
  while (next_field(&message, &field)) {
    if (field.number == number) found = field.payload;
  }
  return found;
}

bool next_record(Bytes *file, Bytes *record) {
  if (file->size == 0) return false;
  uint64_t size = little_endian(take(file, 8));
  take(file, 4); /* the length's checksum */
  *record = take(file, size);
  take(file, 4); /* the record's */
  return true;
}

Bytes read_file(const char *path) {
  FILE *stream = fopen(path, "rb");
  if (stream == NULL) fail("%s: cannot be opened", path);
  size_t capacity = 1 << 16, size = 0;
  unsigned char *content = allocate(capacity, 1);
  for (size_t got; (got = fread(content + size, 1, capacity - size, stream)) > 0;) {
    size += got;
    if (size < capacity) continue;
    capacity *= 2;
    content = realloc(content, capacity);
    if (content == NULL) fail("%s: out of memory", path);
  }
  if (ferror(stream)) fail("%s: cannot be read", path);
  fclose(stream);
  return (Bytes){content, size};
}

char *to_string(Bytes bytes) {
  char *copy = allocate(bytes.size + 1, 1);
  if (bytes.size) memcpy(copy, bytes.data, bytes.size);
  return copy;
}
