// Inputs that an op may go without. Not public.
#pragma once

#include <weft/core/tensor.h>

namespace weft::detail {

/// The elements of t; null if it is undefined.
template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

}  // namespace weft::detail
