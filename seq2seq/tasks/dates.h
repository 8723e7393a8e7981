// Dates in words to dates by ISO 8601.
#pragma once

#include <weft/seq2seq/tasks/task.h>

namespace weft {

Task dates_task();

}  // namespace weft
