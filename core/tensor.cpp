#include <weft/core/allocator.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/core/tensor.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace weft {

static_assert(sizeof(Storage) <= kAlignment);

// The header sits in the block's first 64 bytes, the elements behind it: one allocation for both.
Ref<Storage> Storage::make(size_t bytes) {
  static_assert(sizeof(Storage) % 8 == 0);
  size_t capacity = 0;
  char* block = static_cast<char*>(allocate(bytes + kAlignment, capacity));
  return Ref<Storage>(new (block + kAlignment - sizeof(Storage)) Storage(bytes, capacity));
}

void Storage::dispose() {
  const size_t capacity = capacity_;
  char* block = reinterpret_cast<char*>(this) + sizeof(Storage) - kAlignment;
  this->~Storage();
  deallocate(block, capacity);
}

namespace {

size_t byte_count(const Shape& shape, DType dtype) {
  uint64_t bytes = size_of(dtype);
  for (int64_t d : shape) {
    check(d >= 0, "tensor: sizes must not be negative; got {}", shape);
    check(!__builtin_mul_overflow(bytes, static_cast<uint64_t>(d), &bytes),
          "tensor: shape {} holds more bytes than can be addressed", shape);
  }
  check(bytes <= static_cast<uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()) - kAlignment,
        "tensor: shape {} holds more bytes than can be addressed", shape);
  return static_cast<size_t>(bytes);
}

bool row_major(const Shape& shape, const Shape& strides) {
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

template <class F>
void for_each_index(const Shape& shape, F&& f) {
  const int64_t n = shape.numel();
  Shape index = Shape::filled(shape.rank(), 0);
  for (int64_t i = 0; i < n; ++i) {
    f(index);
    for (int d = shape.rank() - 1; d >= 0 && ++index[d] == shape[d]; --d) index[d] = 0;
  }
}

template <class T = double>
T element_at(const void* base, DType dtype, int64_t i) {
  return dispatch(dtype, [&](auto tag) {
    return static_cast<T>(static_cast<const typename decltype(tag)::type*>(base)[i]);
  });
}

void check_item(const Tensor& t) {
  check(t.defined(), "item: the tensor is undefined");  // not "numel"
  check(t.numel() == 1, "item: expected one element; got shape {}", t.shape());
}

int64_t offset_of(const Shape& strides, const Shape& index) {
  int64_t offset = 0;
  for (int d = 0; d < strides.rank(); ++d) offset += strides[d] * index[d];
  return offset;
}

Tensor convert(const char* who, const std::vector<double>& values, const Shape& shape,
               DType dtype) {
  for (double v : values) check_number(who, v, dtype);
  Tensor t(shape, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::transform(values.begin(), values.end(), t.mutable_data<T>(),
                   [](double v) { return static_cast<T>(v); });
  });
  return t;
}

template <class F>
Tensor generate(const Shape& shape, DType dtype, F&& next) {
  Tensor t(shape, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::generate_n(t.mutable_data<T>(), t.numel(), [&] { return static_cast<T>(next()); });
  });
  return t;
}

}  // namespace

Tensor::Tensor(const Shape& shape, DType dtype) : impl_(new Impl) {
  impl_->storage = Storage::make(byte_count(shape, dtype));
  impl_->shape = shape;
  impl_->strides = contiguous_strides(shape);
  impl_->numel = shape.numel();
  impl_->dtype = dtype;
}

int64_t Tensor::size(int dim) const {
  const Shape& shape = impl("size").shape;
  return shape[normalize_dim("size", dim, shape)];
}

void Tensor::fail_undefined(const char* who) { fail("{}: the tensor is undefined", who); }

void* Tensor::raw() const {
  return static_cast<char*>(impl("raw").storage->data()) +
         impl_->offset * static_cast<int64_t>(size_of(impl_->dtype));
}

void Tensor::fail_dtype(DType wanted) const {
  fail("data: the tensor's dtype is {}; asked for {}", to_string(dtype()), to_string(wanted));
}

double Tensor::item_as_double() const {
  check_item(*this);
  return element_at(raw(), dtype(), 0);
}

void Tensor::fail_item(int64_t value, size_t bits, bool is_signed) {
  fail("item: {} does not fit {} {}signed bits", value, bits, is_signed ? "" : "un");
}

int64_t Tensor::item_as_int64() const {
  check_item(*this);
  if (is_floating(dtype())) check_number("item", item_as_double(), kInt64);
  return element_at<int64_t>(raw(), dtype(), 0);
}

double Tensor::at(std::initializer_list<int64_t> index) const {
  const Shape where(index);
  check(defined(), "at: the tensor is undefined");
  check(where.rank() == dim(), "at: expected {} indices for shape {}; got {}", dim(), shape(),
        where);
  for (int d = 0; d < dim(); ++d)
    check(where[d] >= 0 && where[d] < shape()[d], "at: index {} is outside shape {}", where,
          shape());
  return element_at(raw(), dtype(), offset_of(strides(), where));
}

template <Element T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> out;
  out.reserve(static_cast<size_t>(impl("to_vector").numel));
  dispatch(dtype(), [&](auto tag) {
    const auto* base = static_cast<const typename decltype(tag)::type*>(raw());
    for_each_index(shape(), [&](const Shape& index) {
      const auto v = base[offset_of(strides(), index)];
      if constexpr (std::is_floating_point_v<std::remove_const_t<decltype(v)>>)
        check_number("to_vector", static_cast<double>(v), dtype_of<T>);
      out.push_back(static_cast<T>(v));
    });
  });
  return out;
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<int64_t> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;

Tensor Tensor::strided_view(const Shape& shape, const Shape& strides, int64_t offset) const {
  check(defined(), "strided_view: the tensor is undefined");
  Tensor v;
  v.impl_ = Ref<Impl>(new Impl);
  v.impl_->storage = impl_->storage;
  v.impl_->shape = shape;
  v.impl_->strides = strides;
  v.impl_->offset = impl_->offset + offset;
  v.impl_->numel = shape.numel();
  v.impl_->dtype = dtype();
  v.impl_->contiguous = row_major(shape, strides);
  int64_t last = v.impl_->offset;
  for (int d = 0; d < shape.rank(); ++d) last += (shape[d] - 1) * strides[d];
  const auto capacity = static_cast<int64_t>(impl_->storage->bytes() / size_of(dtype()));
  invariant(v.numel() == 0 || (v.impl_->offset >= 0 && last < capacity),
            "strided_view: outside the storage");
  return v;
}

void Tensor::set_slot(Ref<AutogradSlot> slot, int output_index) {
  impl_->slot = std::move(slot);
  impl_->output_index = output_index;
}

void Tensor::set_data(const Tensor& other) {
  check(defined() && other.defined(), "set_data: both tensors must be defined");
  impl_->storage = other.impl_->storage;
  impl_->shape = other.impl_->shape;
  impl_->strides = other.impl_->strides;
  impl_->offset = other.impl_->offset;
  impl_->numel = other.impl_->numel;
  impl_->dtype = other.impl_->dtype;
  impl_->contiguous = other.impl_->contiguous;
  ++impl_->data_version;
}

void Tensor::substitute(Tensor& stand_in) noexcept {
  std::swap<Contents>(*impl_, *stand_in.impl_);
  impl_->data_version = stand_in.data_version() + 1;
  impl_->substituted = true;
}

void Tensor::put_back(Tensor& stand_in) noexcept { std::swap<Contents>(*impl_, *stand_in.impl_); }

NestedList::NestedList(std::initializer_list<NestedList> items)
    : shape_{static_cast<int64_t>(items.size())}, dtype_(items.size() ? kBool : kFloat32) {
  for (const NestedList& item : items) {
    check(item.shape_ == items.begin()->shape_,
          "tensor: nested lists must have equal lengths; got {} beside {}", item.shape_,
          items.begin()->shape_);
    values_.insert(values_.end(), item.values_.begin(), item.values_.end());
    dtype_ = promote(dtype_, item.dtype_);
  }
  if (items.size())
    for (int64_t d : items.begin()->shape_) shape_.push_back(d);
}

Tensor tensor(std::initializer_list<NestedList> values) {
  const NestedList list(values);
  return convert("tensor", list.values(), list.shape(), list.dtype());
}

Tensor tensor(std::initializer_list<NestedList> values, DType dtype) {
  const NestedList list(values);
  return convert("tensor", list.values(), list.shape(), dtype);
}

Tensor scalar(double value, DType dtype) { return convert("scalar", {value}, {}, dtype); }

template <Element T>
Tensor from_span(std::span<const T> values, const Shape& shape) {
  check(static_cast<int64_t>(values.size()) == shape.numel(),
        "from_span: shape {} needs {} values; got {}", shape, shape.numel(), values.size());
  Tensor t(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.mutable_data<T>());
  return t;
}
template Tensor from_span(std::span<const float>, const Shape&);
template Tensor from_span(std::span<const double>, const Shape&);
template Tensor from_span(std::span<const int64_t>, const Shape&);
template Tensor from_span(std::span<const bool>, const Shape&);

template <Element T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  check(static_cast<int64_t>(values.size()) == shape.numel(),
        "from_vector: shape {} needs {} values; got {}", shape, shape.numel(), values.size());
  Tensor t(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.mutable_data<T>());
  return t;
}
template Tensor from_vector(const std::vector<float>&, const Shape&);
template Tensor from_vector(const std::vector<double>&, const Shape&);
template Tensor from_vector(const std::vector<int64_t>&, const Shape&);
template Tensor from_vector(const std::vector<bool>&, const Shape&);

Tensor zeros(const Shape& shape, DType dtype) {
  constexpr double kByte = 0.04;  // nanoseconds to clear one
  Tensor t(shape, dtype);
  char* bytes = static_cast<char*>(t.raw());
  parallel_for(t.numel() * static_cast<int64_t>(size_of(dtype)), grain_of_cost(kByte, 4096),
               [=](int64_t begin, int64_t end) {
                 std::memset(bytes + begin, 0, static_cast<size_t>(end - begin));
               });
  return t;
}

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor full(const Shape& shape, double value, DType dtype) {
  check_number("full", value, dtype);
  return generate(shape, dtype, [value] { return value; });
}

Tensor arange(int64_t n, DType dtype) {
  return generate({n}, dtype, [i = int64_t{0}]() mutable { return i++; });
}

Tensor eye(int64_t n, DType dtype) { return eye(n, n, dtype); }

Tensor eye(int64_t rows, int64_t columns, DType dtype) {
  Tensor t = zeros({rows, columns}, dtype);
  dispatch(dtype, [&](auto tag) {
    auto* p = t.mutable_data<typename decltype(tag)::type>();
    for (int64_t i = 0; i < std::min(rows, columns); ++i) p[i * columns + i] = 1;
  });
  return t;
}

Tensor randn(const Shape& shape, Generator& generator, DType dtype) {
  return generate(shape, dtype, [&] { return generator.normal(); });
}

Tensor rand(const Shape& shape, Generator& generator, DType dtype) {
  if (dtype == kFloat32)
    return generate(shape, dtype, [&] { return generator.uniform<float>(0, 1); });
  return generate(shape, dtype, [&] { return generator.uniform(); });
}

Tensor randint(int64_t n, const Shape& shape, Generator& generator) {
  return generate(shape, kInt64, [&] { return generator.below(n); });
}

}  // namespace weft

template class std::vector<weft::Tensor>;
