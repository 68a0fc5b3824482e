// Bugs that the sanitizers must find. scripts/sanitize.mjs builds this file
// like the addon, with the name of the addon, and runs each bug. Never shipped.
#include <node_api.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace {

int shared_counter = 0;
// Hides the bugs from the optimizer.
volatile int zero = 0;
char* volatile sink = nullptr;

void HeapOverflow() {
  char* bytes = static_cast<char*>(malloc(16));
  sink = bytes;
  sink[16 + zero] = 1;
  free(bytes);
}

void UseAfterFree() {
  char* bytes = static_cast<char*>(malloc(16));
  sink = bytes;
  free(bytes);
  sink[zero] = 1;
}

void Leak() {
  sink = static_cast<char*>(malloc(4711));
  memset(sink, 1, 4711);
  sink = nullptr;
}

void SignedOverflow() {
  volatile int most = 0x7fffffff;
  most = most + 1 + zero;
}

void Misaligned() {
  alignas(8) char bytes[16] = {};
  volatile uint64_t value =
      *reinterpret_cast<volatile uint64_t*>(bytes + 1 + zero);
  (void)value;
}

void* Count(void*) {
  for (int round = 0; round < 10000; round++) shared_counter++;
  return nullptr;
}

void Race() {
  pthread_t threads[2];
  for (pthread_t& thread : threads) {
    pthread_create(&thread, nullptr, Count, nullptr);
  }
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

void Nothing() {
  char* bytes = static_cast<char*>(malloc(16));
  sink = bytes;
  sink[zero] = 1;
  free(bytes);
}

template <void (*bug)()>
napi_value Call(napi_env, napi_callback_info) {
  bug();
  return nullptr;
}

template <void (*bug)()>
void Export(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, Call<bug>, nullptr,
                       &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace

NAPI_MODULE_INIT() {
  Export<Nothing>(env, exports, "nothing");
  Export<HeapOverflow>(env, exports, "heap overflow");
  Export<UseAfterFree>(env, exports, "use after free");
  Export<Leak>(env, exports, "leak");
  Export<SignedOverflow>(env, exports, "signed overflow");
  Export<Misaligned>(env, exports, "misaligned access");
  Export<Race>(env, exports, "race");
  return exports;
}
