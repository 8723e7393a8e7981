// The two kinds of failure: a mistake of the user, and a mistake of ours.
#pragma once

#include <stdexcept>
#include <string>

namespace weft {

/// Thrown when an argument is wrong. The message says who complains, what was expected and what
/// came: `matmul: inner dimensions must agree; got [8, 16, 32] x [8, 64, 16]`.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thrown when an invariant of the library is broken: a bug in weft, never in the caller.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// What the exception that is being handled says; for use in a catch block.
inline std::string what_was_thrown() try { throw; } catch (const std::exception& e) {
  return e.what();
} catch (...) {
  return "something that is no std::exception";
}

}  // namespace weft
