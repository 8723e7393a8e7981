// Copying, reversing and sorting of letters.
#pragma once

#include <weft/seq2seq/tasks/task.h>

namespace weft {

Task copy_task();
Task reverse_task();
Task sort_task();

}  // namespace weft
