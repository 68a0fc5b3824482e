// The functions that the compiler expects of a C++ standard library. The addon
// links against none (binding.gyp): libstdc++ would tie the prebuilt file to
// one C library, and to a recent version of it.
#include <stddef.h>
#include <stdlib.h>

#include <string>

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

// napi.h has a string in its errors. Compiled for size, what ends the string is
// a function of the library; this makes it one of ours.
#if defined(__GLIBCXX__)
template void std::string::_M_dispose();
#endif

#if defined(__arm__)
// Every unwind table names one of these, so that it is linked. The unwinder
// does not call it: our tables are the compact ones of the EABI, which it reads
// with functions of its own.
extern "C" {
void __aeabi_unwind_cpp_pr0() {}
void __aeabi_unwind_cpp_pr1() {}
void __aeabi_unwind_cpp_pr2() {}
}
#endif
