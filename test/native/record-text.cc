// Prints what src-native/record-text.cc makes of lines on stdin:
//   w SINCE TOKEN MEMBER DATA    the record and what a release leaves
//   r CONTENT                    with \n for a newline: the token, or "foreign"
#include "../../src-native/record-text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

using holdfast::Buffer;

int main() {
  holdfast::RecordText record;
  Buffer head;
  Buffer tail;
  head.Assign("{HEAD", 5);
  tail.Assign("TAIL", 4);
  record.Identify(head, tail);
  static char line[70000];
  while (fgets(line, sizeof line, stdin) != nullptr) {
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == 'w') {
      char* rest = line + 2;
      const uint64_t since = strtoull(rest, &rest, 10);
      const uint64_t token = strtoull(rest, &rest, 10);
      const bool member = strtoull(rest, &rest, 10) == 1;
      const char* data = rest + 1;
      record.Write({true, member, token, since, data, strlen(data)});
      printf("%s%s", record.text().data(), record.left().data());
    } else {
      Buffer content;
      content.Allocate(strlen(line));
      size_t length = 0;
      for (const char* at = line + 2; *at != '\0'; at++) {
        const bool newline = at[0] == '\\' && at[1] == 'n';
        content.data()[length++] = newline ? '\n' : *at;
        if (newline) at++;
      }
      uint64_t token = 0;
      if (holdfast::ReadLeftover(content.data(), length, &token)) {
        printf("%llu\n", static_cast<unsigned long long>(token));
      } else {
        printf("foreign\n");
      }
    }
  }
}
