// There is no /proc on this platform: TypeScript does without these calls.
#include "addon.h"

namespace holdfast {

void ExportLookCalls(Napi::Object, Environment*) {}

}  // namespace holdfast
