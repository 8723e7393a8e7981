// Where tests find files. The folders stand in one object, so that all others are the same in every
// checkout, and a compiler cache knows them.
#pragma once

#include <filesystem>
#include <string>

/// A file of tests/fixtures.
std::filesystem::path test_data(const std::string& file);
/// Where report.h writes.
std::filesystem::path report_folder();
/// A file of the project.
std::filesystem::path source_file(const std::filesystem::path& file);
