#include <weft/autograd/module_path.h>

#include <utility>

namespace weft {
namespace {
thread_local const PathSource* current = nullptr;
}  // namespace

ModuleScope::ModuleScope(const PathSource& module) : before_(std::exchange(current, &module)) {}
ModuleScope::~ModuleScope() { current = before_; }

std::string module_path() { return current ? current->path() : std::string(); }

}  // namespace weft
