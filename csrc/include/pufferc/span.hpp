// span.hpp - building blocks of pufferc.hpp: borrowed arrays, exceptions, owners of C objects.
#ifndef PUFFERC_SPAN_HPP
#define PUFFERC_SPAN_HPP

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"  // the C headers have inline functions with C casts
#endif
#include "pufferc/policy.h"
#include "pufferc/pufferc.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace pufferc {

// A pointer with a length; borrows what it points to. Replaces std::span of C++20.
template <class T>
class Span {
 public:
  constexpr Span() noexcept = default;
  constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  // From anything with data() and size(): std::vector, std::array, std::span, another Span.
  template <class Container, class Element = std::remove_pointer_t<decltype(std::declval<Container&>().data())>,
            class = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
  constexpr Span(Container&& container) noexcept : data_(container.data()), size_(container.size()) {}
  template <std::size_t N>
  constexpr Span(T (&array)[N]) noexcept : data_(array), size_(N) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }  // unchecked, as in std::span

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// A failed call of the C API; what() is the message of pfc_last_error().
class Error : public std::runtime_error {
 public:
  Error(PfcStatus status, const std::string& message) : std::runtime_error(message), status_(status) {}
  PfcStatus status() const noexcept { return status_; }

 private:
  PfcStatus status_;
};

inline void check(PfcStatus status) {
  if (status != PFC_OK) throw Error(status, pfc_last_error());
}

// Throws the error of a C function that returns no status.
[[noreturn]] inline void throw_last() { throw Error(pfc_last_status(), pfc_last_error()); }

namespace detail {

[[noreturn]] inline void throw_length(const char* name, std::size_t expected, std::size_t got) {
  throw Error(PFC_INVALID, std::string(name) + ": expected " + std::to_string(expected) + " elements, got " +
                               std::to_string(got));
}

inline void check_length(const char* name, std::size_t expected, std::size_t got) {
  if (got != expected) throw_length(name, expected, got);
}

// The PfcDtype of a C++ type. Unsupported types do not compile.
template <class T>
constexpr PfcDtype dtype() {
  if constexpr (std::is_same_v<T, float>) return PFC_FLOAT32;
  else if constexpr (std::is_same_v<T, double>) return PFC_FLOAT64;
  else if constexpr (std::is_same_v<T, std::int8_t>) return PFC_INT8;
  else if constexpr (std::is_same_v<T, std::int16_t>) return PFC_INT16;
  else if constexpr (std::is_same_v<T, std::int32_t>) return PFC_INT32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return PFC_INT64;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return PFC_UINT8;
  else if constexpr (std::is_same_v<T, std::uint16_t>) return PFC_UINT16;
  else if constexpr (std::is_same_v<T, std::uint32_t>) return PFC_UINT32;
  else {
    static_assert(std::is_same_v<T, std::uint64_t>, "arrays are of float, double, or integers of 8 to 64 bits");
    return PFC_UINT64;
  }
}

inline std::size_t length(std::int64_t count) { return static_cast<std::size_t>(count); }

// Sole owner of a C object.
template <class T, void (*destroy)(T*)>
class Handle {
 public:
  explicit Handle(T* object) : object_(object) {
    if (object_ == nullptr) throw_last();
  }
  Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { destroy(object_); }
  T* get() const noexcept { return object_; }

 private:
  T* object_;
};

}  // namespace detail

}  // namespace pufferc

#endif  // PUFFERC_SPAN_HPP
