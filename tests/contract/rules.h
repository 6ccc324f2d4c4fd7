#pragma once

#include <initializer_list>
#include <string>
#include <vector>

/// The sentences of the contract, as docs/transport-abi.md has them (a test compares the two), so that
/// whoever breaks one is told which.
namespace duet::contract {

struct Rule {
  const char* id;
  const char* text;
};

const std::vector<Rule>& all_rules();
/// Aborts on an id that there is not: a mistake in the suite.
const Rule& rule_of(const std::string& id);

/// Said at the beginning of a test: what it holds the transport to.
void holds_to(std::initializer_list<const char*> ids);
/// What the current test has said.
const std::vector<const Rule*>& current_rules();
/// Called from every holds_to(): whoever runs a test in another process learns its rules before it crashes.
void on_rules(void (*listener)());

}  // namespace duet::contract
