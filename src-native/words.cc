#include <stdlib.h>
#include <string.h>

#include "program.h"

namespace holdfast {

// The pointers of an empty list.
char* Words::none_[1] = {nullptr};

Words::~Words() {
  for (size_t index = 0; index < size_; index++) {
    if (owned_[index]) free(words_[index]);
  }
  free(words_);
  free(owned_);
}

bool Words::Grow() {
  // One place more than the words need, for the null pointer.
  if (size_ + 1 < capacity_) return true;
  const size_t grown = capacity_ == 0 ? 16 : capacity_ * 2;
  void* words = realloc(words_, grown * sizeof(char*));
  if (words == nullptr) return false;
  words_ = static_cast<char**>(words);
  void* owned = realloc(owned_, grown * sizeof(bool));
  if (owned == nullptr) return false;
  owned_ = static_cast<bool*>(owned);
  capacity_ = grown;
  return true;
}

bool Words::Add(const char* bytes, size_t size) {
  char* copy = static_cast<char*>(malloc(size + 1));
  if (copy == nullptr) return false;
  if (size > 0) memcpy(copy, bytes, size);
  copy[size] = '\0';
  if (!AddForeign(copy)) {
    free(copy);
    return false;
  }
  owned_[size_ - 1] = true;
  return true;
}

bool Words::AddForeign(char* word) {
  if (!Grow()) return false;
  owned_[size_] = false;
  words_[size_++] = word;
  words_[size_] = nullptr;
  return true;
}

}  // namespace holdfast
