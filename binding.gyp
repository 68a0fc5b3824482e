{
  # "address", "undefined" or "thread": npm run test:sanitize
  # "first_generation": for the test of a table whose slots have served to the
  # end (src-native/table.cc).
  "variables": { "sanitize%": "", "first_generation%": "0" },
  # Not for Windows: scripts/native/win32.mjs makes that one, of other files.
  "targets": [
    {
      "target_name": "holdfast",
      "sources": [
        "src-native/addon.cc",
        "src-native/table.cc",
        "src-native/posix/file.cc",
        "src-native/posix/program.cc",
        "src-native/words.cc"
      ],
      "include_dirs": ["src-native/posix", "<!(node -p \"require('node-api-headers').include_dir\")", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "HOLDFAST_FIRST_GENERATION=<(first_generation)"],
      # 64-bit already; the redirected names need a newer or another C library.
      "defines!": ["_FILE_OFFSET_BITS=64", "_LARGEFILE_SOURCE"],
      "cflags_cc!": ["-fno-omit-frame-pointer", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fno-exceptions",
        "-fno-rtti",
        "-fno-threadsafe-statics",
        "-fvisibility=hidden",
        # A cancelled thread is unwound through frames of ours.
        "-fasynchronous-unwind-tables",
        "-ffunction-sections",
        "-ffile-prefix-map=<(module_root_dir)=."
      ],
      "conditions": [
        # The rest for macOS, whose compiler brings its own C++ library. The
        # committed file is made by scripts/native/darwin.mjs.
        ["OS=='mac'", {
          "sources": [
            "src-native/darwin/file.cc",
            "src-native/darwin/process.cc",
            "src-native/child-none.cc",
            "src-native/wait-poll.cc"
          ],
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
            "GCC_ENABLE_CPP_RTTI": "NO",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "OTHER_CPLUSPLUSFLAGS": ["-Wall", "-Wextra", "-Werror", "-fno-threadsafe-statics"]
          }
        }, {
          "sources": [
            "src-native/linux/file.cc",
            "src-native/linux/process.cc",
            "src-native/linux/child.cc",
            "src-native/linux/wait.cc"
          ]
        }],
        # Not the atomics of libgcc, which ask a private function of glibc's
        # what the processor can do. -O2, because pages have up to 64 KiB
        # there and the file is padded to whole ones: with -O3 it has two.
        ["OS!='mac' and target_arch=='arm64'", { "cflags_cc": ["-mno-outline-atomics", "-O2"] }],
        # As the C library's old names have it: see src-native/posix/calls.h.
        ["target_arch=='arm'", { "cflags_cc": ["-U_FILE_OFFSET_BITS", "-U_TIME_BITS"] }],
        ["OS!='mac' and sanitize==''", {
          "sources": ["src-native/runtime.cc"],
          # No C++ library and no version of the C library named: one file for
          # glibc and musl. All symbols are bound at loading, since nothing may
          # be looked up inside a cancellable wait, and the file stays in memory
          # when a worker ends, since its threads may still be in it.
          "ldflags": [
            "-nostdlib",
            "-Wl,-z,now",
            "-Wl,-z,nodelete",
            "-Wl,--version-script=<(module_root_dir)/src-native/exports.map",
            "-Wl,--gc-sections",
            "-Wl,-z,noseparate-code",
            "-Wl,--build-id=none"
          ],
          "libraries": ["-lgcc"]
        }],
        ["sanitize!=''", {
          "cflags_cc": ["-fsanitize=<(sanitize)", "-g", "-fno-omit-frame-pointer"],
          "ldflags": ["-fsanitize=<(sanitize)", "-Wl,-z,now", "-Wl,-z,nodelete"]
        }]
      ]
    }
  ]
}
