// A function of tensors in float32 against itself in float64, at numbers that float32 can just
// hold; and with junk in the numbers that it does not read.
#pragma once

#include <weft/autograd/check/check_op.h>
#include <weft/tests/autograd/edges.h>

namespace weft::extremes {

struct Judgement {
  int compared = 0;
  std::string fault;  // empty if all is well
};

/// The inputs with every floating number v, the i-th of its tensor, replaced by number(v, i),
/// rounded to float32.
Tensors replaced(const Tensors& inputs, double (*number)(double v, int64_t i));

/// Values, gradients (by the fast path and by the differentiable one) and gradients of gradients of
/// f in float32 must be what float64 gives, to within what a few roundings of the inputs change in
/// it. Where float64 gives NaN, nothing is asked.
Judgement judge_single(const SampleFunction& f, const Tensors& inputs);

/// Numbers of the inputs that no value of f depends on may be NaN: no bit of the values and of
/// other gradients changes, and their own gradients are 0.
Judgement judge_junk(const SampleFunction& f, const Tensors& inputs);

}  // namespace weft::extremes
