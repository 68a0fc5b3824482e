// Bytes on the heap with one owner.
#ifndef HOLDFAST_BUFFER_H_
#define HOLDFAST_BUFFER_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace holdfast {

// Always followed by a NUL.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Keeps the memory that it has, for the next use.
  bool Allocate(size_t size) {
    if (size >= capacity_) {
      char* grown = static_cast<char*>(realloc(data_, size + 1));
      if (grown == nullptr) return false;
      data_ = grown;
      capacity_ = size + 1;
    }
    size_ = size;
    data_[size] = '\0';
    return true;
  }
  void Truncate(size_t size) {
    size_ = size;
    if (data_ != nullptr) data_[size] = '\0';
  }
  bool Assign(const char* bytes, size_t size) {
    if (!Allocate(size)) return false;
    if (size > 0) memcpy(data_, bytes, size);
    return true;
  }
  bool Equals(const char* bytes, size_t size) const {
    return size == size_ && (size == 0 || memcmp(data_, bytes, size) == 0);
  }

  char* data() { return data_; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// FNV-1a: recognizes a content, but is no protection against forgery.
inline uint64_t HashOf(const char* bytes, size_t size) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t index = 0; index < size; index++) {
    hash = (hash ^ static_cast<unsigned char>(bytes[index])) * 0x100000001b3;
  }
  return hash;
}

}  // namespace holdfast

#endif  // HOLDFAST_BUFFER_H_
