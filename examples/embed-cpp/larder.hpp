// What C++ adds to larder.h in this program: handles that free themselves, and errors that are exceptions.
#pragma once

#include <larder.h>

#include <memory>
#include <stdexcept>

template <auto Free> struct Freed {
  template <typename T> void operator()(T *handle) const { Free(handle); }
};

using Kitchen = std::unique_ptr<larder, Freed<larder_close>>;
using Session = std::unique_ptr<larder_session, Freed<larder_session_free>>;
using Settings = std::unique_ptr<larder_settings, Freed<larder_settings_free>>;
using Code = std::unique_ptr<larder_code, Freed<larder_code_free>>;
using Error = std::unique_ptr<larder_error, Freed<larder_error_free>>;

// Calls a function of larder.h that has a place for an error as its last argument. What it answers is false or null if it fails.
template <typename Function, typename... Arguments> auto checked(Function function, Arguments... arguments) {
  larder_error *error = nullptr;
  const auto answer = function(arguments..., &error);
  if (const Error failure{error})
    throw std::runtime_error(larder_error_message(failure.get()));
  return answer;
}
