{
  # "address", "undefined" or "thread": npm run test:sanitize
  # "first_generation": for the test of a table whose slots are used up
  # (src-native/table.cc).
  "variables": { "sanitize%": "", "first_generation%": "0" },
  # Not for Windows: scripts/native/win32.mjs builds that addon, from other files.
  "targets": [
    {
      "target_name": "holdfast",
      "sources": [
        "src-native/addon.cc",
        "src-native/arguments.cc",
        "src-native/entry-calls.cc",
        "src-native/take-calls.cc",
        "src-native/lock-calls.cc",
        "src-native/record-calls.cc",
        "src-native/folder-calls.cc",
        "src-native/process-calls.cc",
        "src-native/table.cc",
        "src-native/record.cc",
        "src-native/record-text.cc",
        "src-native/content.cc",
        "src-native/words.cc",
        "src-native/posix/file.cc",
        "src-native/posix/program.cc"
      ],
      "include_dirs": ["src-native/posix", "<!(node -p \"require('node-api-headers').include_dir\")", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "HOLDFAST_FIRST_GENERATION=<(first_generation)"],
      # The types have 64 bits anyway; the names that these flags choose need a
      # newer or another C library.
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
        # A cancelled thread unwinds through our frames.
        "-fasynchronous-unwind-tables",
        "-ffunction-sections",
        "-ffile-prefix-map=<(module_root_dir)=."
      ],
      "conditions": [
        # On a Mac. The compiler there has a C++ library of its own.
        # scripts/native/darwin.mjs builds the committed file.
        ["OS=='mac'", {
          "sources": [
            "src-native/darwin/file.cc",
            "src-native/darwin/peer.cc",
            "src-native/darwin/process.cc",
            "src-native/child-none.cc",
            "src-native/look-none.cc",
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
            "src-native/remove.cc",
            "src-native/linux/file.cc",
            "src-native/linux/guard.cc",
            "src-native/linux/look-calls.cc",
            "src-native/linux/peer.cc",
            "src-native/linux/process.cc",
            "src-native/linux/child.cc",
            "src-native/linux/wait.cc",
            "src-native/linux/waiter.cc"
          ]
        }],
        # The atomics of libgcc call a private function of glibc. And -Os,
        # because pages there have up to 64 KiB and the file is padded to whole
        # pages: with -O2 it has two.
        ["OS!='mac' and target_arch=='arm64'", { "cflags_cc": ["-mno-outline-atomics", "-Os"] }],
        # The types of the old names of the C library: src-native/posix/calls.h.
        ["target_arch=='arm'", { "cflags_cc": ["-U_FILE_OFFSET_BITS", "-U_TIME_BITS"] }],
        ["OS!='mac' and sanitize==''", {
          "sources": ["src-native/runtime.cc"],
          # The file names no C++ library and no version of the C library, so it
          # serves glibc and musl. Loading binds all symbols, because nothing
          # may be looked up inside a cancellable wait. The file stays in memory
          # when a worker ends, because its threads may still be in it.
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
