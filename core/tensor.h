// Tensor: a handle to strided elements in shared storage, with an optional place in an autograd
// graph. Copying a Tensor copies the handle; clone() (an op) copies the elements.
#pragma once

#include <weft/core/dtype.h>
#include <weft/core/random.h>
#include <weft/core/ref.h>
#include <weft/core/shape.h>

#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weft {

/// What autograd hangs on a tensor; core knows only how to keep it alive.
class AutogradSlot : public RefCounted {
 public:
  virtual ~AutogradSlot() = default;
  /// Called when the last reference is gone.
  virtual void dispose() = 0;
};

/// A block of memory that several tensors may look into. `version` counts the in-place writes.
class alignas(8) Storage : public RefCounted {
 public:
  static Ref<Storage> make(size_t bytes);
  void dispose();

  void* data() { return this + 1; }
  size_t bytes() const { return bytes_; }
  uint32_t version() const { return version_; }
  const char* last_writer() const { return last_writer_; }
  void written_by(const char* who) {
    ++version_;
    last_writer_ = who;
  }

 private:
  explicit Storage(size_t bytes, size_t capacity) : bytes_(bytes), capacity_(capacity) {}
  size_t bytes_, capacity_;
  uint32_t version_ = 0;
  const char* last_writer_ = "";
};

class Tensor;
using Tensors = std::vector<Tensor>;

/// Takes a gradient, returns its replacement or an undefined Tensor to keep it.
using TensorHook = std::function<Tensor(const Tensor& gradient)>;

/// Takes a hook away again. Without effect if that was done before, or if what the hook hung on is
/// gone. Letting go of a handle leaves the hook in place.
class HookHandle {
 public:
  HookHandle() = default;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  void remove() {
    if (const auto call = std::exchange(remove_, nullptr)) call();
  }

 private:
  std::function<void()> remove_;
};

struct BackwardOptions {
  bool retain_graph = false;  ///< keep what backward needs, so that it can run again
  /// Record the backward pass itself (implies retain_graph). A leaf (or result that retains) and
  /// its grad() then hold each other until set_grad({}); leaves do not after weft::grad().
  bool create_graph = false;
};

class Tensor {
 public:
  /// Undefined: holds nothing. What asks for more than defined(), requires_grad() or grad() is an
  /// Error: `numel: the tensor is undefined`.
  Tensor() = default;
  /// Uninitialized elements.
  explicit Tensor(const Shape& shape, DType dtype = kFloat32);

  bool defined() const { return static_cast<bool>(impl_); }
  const Shape& shape() const { return impl("shape").shape; }
  const Shape& strides() const { return impl("strides").strides; }
  /// Size of a dim, which may count from the end.
  int64_t size(int dim) const;
  int dim() const { return impl("dim").shape.rank(); }
  int64_t numel() const { return impl("numel").numel; }
  DType dtype() const { return impl("dtype").dtype; }
  bool is_contiguous() const { return impl("is_contiguous").contiguous; }

  /// Pointer to the first element; T must match dtype(). Elements are in row-major order only if
  /// is_contiguous().
  template <Element T>
  const T* data() const {
    require_dtype("data", dtype_of<T>);
    return static_cast<const T*>(raw());
  }
  /// The same for writing. Counts as an in-place write by `who` (a literal: the pointer is kept): a
  /// backward pass that needs the old values reports it.
  template <Element T>
  T* mutable_data(const char* who = "mutable_data") {
    require_dtype("mutable_data", dtype_of<T>);
    impl_->storage->written_by(who);
    return static_cast<T*>(raw());
  }

  /// The value of a one-element tensor, converted to T (a number type or bool): to an integer
  /// towards 0, and an Error if T cannot hold it.
  template <class T = double>
  T item() const {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      const int64_t value = item_as_int64();
      const T converted = static_cast<T>(value);
      if (!std::cmp_equal(converted, value)) [[unlikely]]
        fail_item(value, 8 * sizeof(T), std::is_signed_v<T>);
      return converted;
    } else {
      return static_cast<T>(item_as_double());
    }
  }
  /// The element at `index`.
  double at(std::initializer_list<int64_t> index) const;
  /// All elements in row-major order, converted to T; an Error if int64 cannot hold one.
  template <Element T>
  std::vector<T> to_vector() const;

  // --- Autograd; defined in autograd/graph/tensor_autograd.cpp ---

  /// True if gradients flow to this tensor: a leaf that asked for them, or a result of one.
  bool requires_grad() const;
  /// Makes a leaf ask for gradients (or stop asking; its grad() and hooks stay). Error on a result
  /// of recorded ops or on an integer dtype. Returns *this.
  Tensor& set_requires_grad(bool on = true);
  bool is_leaf() const;
  /// The accumulated gradient; undefined before the first backward.
  Tensor grad() const;
  void set_grad(const Tensor& gradient);
  /// Keeps the gradient of an intermediate result, to be read with grad() after backward.
  void retain_grad();
  /// Runs `hook` on the gradient of this tensor in every backward pass. What it throws comes out of
  /// backward() nested in an Error that names this tensor; no grad() has changed then.
  HookHandle register_hook(TensorHook hook);
  /// Accumulates the gradients of this tensor into the leaves below it. `gradient` (of this
  /// tensor's shape) may be left out for a one-element tensor. An Error on the way leaves every
  /// grad() of a leaf as it was; the part of the graph that had run has been freed all the same.
  void backward(const Tensor& gradient = {}, BackwardOptions options = {}) const;
  /// The same elements, outside any graph.
  Tensor detach() const;

  // --- For ops ---

  /// Another look at the same storage: the one view primitive; not recorded. `offset` is relative
  /// to this tensor's first element. An InternalError if it would leave the storage.
  Tensor strided_view(const Shape& shape, const Shape& strides, int64_t offset = 0) const;
  /// Nobody else holds this handle's storage, so a kernel may overwrite it.
  bool is_unique() const {
    return impl("is_unique").use_count() == 1 && impl_->storage->use_count() == 1;
  }
  bool same_storage(const Tensor& o) const {
    return impl("same_storage").storage == o.impl("same_storage").storage;
  }
  bool same_handle(const Tensor& o) const { return impl_ == o.impl_; }
  const Storage& storage() const { return *impl("storage").storage; }
  void* raw() const;

  AutogradSlot* slot() const { return impl("slot").slot.get(); }
  int output_index() const { return impl("output_index").output_index; }
  void set_slot(Ref<AutogradSlot> slot, int output_index);
  /// The slot of a leaf that stopped asking for gradients.
  AutogradSlot* frozen_slot() const { return impl("frozen_slot").frozen_slot.get(); }
  /// Sets the slot aside, or puts it back.
  void swap_frozen_slot() { std::swap(impl_->slot, impl_->frozen_slot); }
  /// Points this very handle, and all its copies, at other elements (`to(dtype)`, loading). A
  /// backward pass that needs the old ones reports it.
  void set_data(const Tensor& other);
  /// How often set_data() was called.
  uint32_t data_version() const { return impl_->data_version; }
  /// Exchanges all that this very handle, and all its copies, are, elements and place in the graph,
  /// with `stand_in`. put_back() with the same does the reverse.
  void substitute(Tensor& stand_in) noexcept;
  void put_back(Tensor& stand_in) noexcept;
  bool is_substituted() const { return impl_->substituted; }

 private:
  struct Contents {
    Ref<Storage> storage;
    Shape shape, strides;
    int64_t offset = 0, numel = 1;
    Ref<AutogradSlot> slot, frozen_slot;
    int output_index = 0;
    uint32_t data_version = 0;
    DType dtype = kFloat32;
    bool contiguous = true;
    bool substituted = false;
  };
  struct Impl : RefCounted, Contents {
    void dispose() { delete this; }
  };
  // `who` is asked in vain of an undefined tensor.
  const Impl& impl(const char* who) const {
    if (!impl_) [[unlikely]]
      fail_undefined(who);
    return *impl_;
  }
  [[noreturn]] static void fail_undefined(const char* who);
  void require_dtype(const char* who, DType d) const {
    if (d != impl(who).dtype) [[unlikely]]
      fail_dtype(d);
  }
  [[noreturn]] void fail_dtype(DType wanted) const;
  [[noreturn]] static void fail_item(int64_t value, size_t bits, bool is_signed);
  double item_as_double() const;
  int64_t item_as_int64() const;

  Ref<Impl> impl_;
};

/// Nested braces of numbers, as in `tensor({{1, 2}, {3, 4}})`. Integers give int64, anything with a
/// floating literal float32, booleans bool. Integers are exact up to 2^53.
class NestedList {
 public:
  NestedList(double v) : values_{v} {}                                        // NOLINT: implicit
  NestedList(int v) : values_{static_cast<double>(v)}, dtype_(kInt64) {}      // NOLINT: implicit
  NestedList(int64_t v) : values_{static_cast<double>(v)}, dtype_(kInt64) {}  // NOLINT: implicit
  NestedList(bool v) : values_{v ? 1.0 : 0.0}, dtype_(kBool) {}               // NOLINT: implicit
  NestedList(std::initializer_list<NestedList> items);                        // NOLINT: implicit

  const std::vector<double>& values() const { return values_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }

 private:
  std::vector<double> values_;
  Shape shape_;
  DType dtype_ = kFloat32;
};

Tensor tensor(std::initializer_list<NestedList> values);
Tensor tensor(std::initializer_list<NestedList> values, DType dtype);
/// A rank-0 tensor.
Tensor scalar(double value, DType dtype = kFloat32);
/// Copies `values` (row-major) into a tensor of that shape and of T's dtype.
template <Element T>
Tensor from_span(std::span<const T> values, const Shape& shape);
template <Element T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape);

Tensor zeros(const Shape& shape, DType dtype = kFloat32);
Tensor ones(const Shape& shape, DType dtype = kFloat32);
Tensor full(const Shape& shape, double value, DType dtype = kFloat32);
/// 0, 1, ..., n - 1
Tensor arange(int64_t n, DType dtype = kInt64);
/// Ones on the diagonal, zeros elsewhere: [n, n] or [rows, columns].
Tensor eye(int64_t n, DType dtype = kFloat32);
Tensor eye(int64_t rows, int64_t columns, DType dtype = kFloat32);
/// Standard normal, or uniform in [0, 1).
Tensor randn(const Shape& shape, Generator& generator, DType dtype = kFloat32);
Tensor rand(const Shape& shape, Generator& generator, DType dtype = kFloat32);
/// Integers in [0, n).
Tensor randint(int64_t n, const Shape& shape, Generator& generator);

/// `tensor([1, 2], shape [2], int64)`, a line per row; long dims are shortened with "...".
std::string to_string(const Tensor& t);
std::ostream& operator<<(std::ostream& out, const Tensor& t);

}  // namespace weft

/// Compiled once, in tensor.cpp.
extern template class std::vector<weft::Tensor>;
