// Sums of two numbers.
#pragma once

#include <weft/seq2seq/tasks/task.h>

namespace weft {

Task addition_task();

}  // namespace weft
