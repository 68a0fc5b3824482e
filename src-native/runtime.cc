// What the compiler expects of a C++ standard library. The addon links
// against none (binding.gyp): libstdc++ would tie the prebuilt file to one C
// library and to a recent version of it.
#include <stddef.h>
#include <stdlib.h>

void* operator new(size_t size) {
  void* memory = malloc(size == 0 ? 1 : size);
  if (memory == nullptr) abort();
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

extern "C" void __cxa_pure_virtual() { abort(); }

#if defined(__arm__)
// Every table of how to unwind names one of these, to have it linked in; the
// unwinder then uses its own, since ours are the compact tables of the EABI.
extern "C" {
void __aeabi_unwind_cpp_pr0() {}
void __aeabi_unwind_cpp_pr1() {}
void __aeabi_unwind_cpp_pr2() {}
}
#endif
