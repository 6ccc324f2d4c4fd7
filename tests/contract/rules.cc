#include "contract/rules.h"

#include <cstdio>
#include <cstdlib>

namespace duet::contract {
namespace {

std::vector<const Rule*>& current() {
  static std::vector<const Rule*> rules;
  return rules;
}

void (*rules_listener)() = nullptr;

}  // namespace

const std::vector<Rule>& all_rules() {
  static const std::vector<Rule> rules = {
      {"LOAD-1",
       "The shared object loads with RTLD_NOW | RTLD_LOCAL and exports duet_transport_plugin: whatever "
       "it needs, it is linked to."},
      {"LOAD-2",
       "The entry point returns a table that is valid until the process ends, or null after writing a "
       "reason that ends within reason_bytes."},
      {"LOAD-3",
       "The table says its struct_size and version, and fills every slot that is not optional; optional "
       "slots that come in pairs are both there or both null."},
      {"LOAD-4", "No exception leaves a function of the plugin, and no function of it ends the process."},
      {"LOAD-5",
       "The plugin uses a service only if it lies within services->struct_size and is not null, and "
       "returns null with a reason to a host of another major version."},
      {"LOAD-6", "In a file libduet_transport_NAME.so the table's name is NAME."},
      {"PROBE-1",
       "probe() says whether open_context() would work with these settings, and for a human why not, or "
       "what would be used; \"not viable\" is an answer, with DUET_OK."},
      {"PROBE-2", "probe() has no effect that outlasts it."},
      {"PROBE-3",
       "A setting that the plugin does not know, or whose value it cannot use, is refused by probe() and"
       " open_context() with DUET_MISUSE and a text that names it."},
      {"PROBE-4", "largest_message is 0, for \"any\", or at least 2^21 bytes."},
      {"CTX-1",
       "Different contexts may be used by different threads at the same time, whatever they do to each "
       "other."},
      {"CTX-2",
       "close_context() ends everything that is left within a second; when it returns no buffer is lent "
       "any more."},
      {"CTX-3", "Contexts that come and go leave no descriptors and no memory behind."},
      {"ADDR-1",
       "get_address() gives from 1 to 512 bytes that do not change; where they do not fit it writes "
       "nothing, sets *bytes to their number and returns DUET_MISUSE."},
      {"CONN-1",
       "connect() and accept() return at once, in any order of the two sides; the connection is PENDING "
       "until both are there, and then READY."},
      {"CONN-2", "Operations may be posted while a connection is PENDING."},
      {"CONN-3",
       "Two contexts may have many connections, in both directions, and nothing mixes between them."},
      {"CONN-4",
       "A connection that cannot come about is refused with a reason, or becomes FAILED; it never "
       "becomes READY, and never brings the context down."},
      {"CONN-5",
       "A failed connection has ended all its operations by the next poll(), with the status of its "
       "failure, and refuses new ones with it."},
      {"CONN-6",
       "Nothing that belonged to one session ever appears on a connection of another, not even between "
       "the same two contexts."},
      {"CONN-7",
       "Connections that come and go, or never come about, leave no descriptors and no memory behind for"
       " longer than 15 seconds."},
      {"CONN-8", "What happens to one connection of a context does not disturb the others."},
      {"TICKET-1",
       "make_ticket(), where there is one, returns at once with from 1 to 256 bytes; with these in both "
       "requests the connection comes about."},
      {"OP-1",
       "Every operation that was accepted completes exactly once, whatever happens to it, to its "
       "connection and to its peer."},
      {"OP-2",
       "The k-th receive of one side takes the k-th send of the other, whichever is posted first, and "
       "message boundaries are kept."},
      {"OP-3",
       "The memory of an operation is lent from its post until poll() returns its completion, and is not"
       " touched after."},
      {"OP-4", "A message of 0 bytes, whose data may be null, is a message like any other."},
      {"OP-5",
       "A receive that is longer than its message completes with the message's bytes and leaves the rest"
       " of its memory alone."},
      {"OP-6",
       "A receive that is shorter than its message completes with DUET_MISUSE, and nothing is written "
       "outside its memory."},
      {"OP-7",
       "Messages of every length up to largest_message arrive unaltered, from memory and to memory of "
       "any alignment, for as long as the connection lives."},
      {"OP-8",
       "A send above largest_message is refused with DUET_MISUSE; an operation that is refused, with "
       "whatever status, has no completion and lends nothing."},
      {"OP-9", "An operation's id may be used again once its completion was returned."},
      {"OP-10",
       "A connection takes at least 8 operations in flight in each direction; beyond its room a post "
       "returns DUET_AGAIN."},
      {"POLL-1", "poll() sleeps while there is nothing to do, and no longer than it may."},
      {"POLL-2",
       "A poll() that sleeps wakes up for a completion, and when a connection becomes READY or FAILED."},
      {"POLL-3",
       "poll() returns at most `capacity` completions; those beyond come with the following calls."},
      {"WAIT-1",
       "After arm() has returned DUET_OK, the wait descriptor becomes readable when poll() may have "
       "something to do."},
      {"WAIT-2", "arm() lowers the timeout to the next deadline of the context, and never raises it."},
      {"WAIT-3", "While there is nothing to do the wait descriptor does not keep its sleeper awake."},
      {"TIME-1",
       "An operation whose deadline has passed completes within 100 ms, as long as the host polls: with "
       "DUET_TIMED_OUT, or with DUET_OK when it was done before the plugin noticed."},
      {"TIME-2",
       "A connection that is not READY by its deadline is FAILED with DUET_TIMED_OUT within 100 ms, as "
       "long as the host polls."},
      {"TIME-3",
       "Deadlines hold whatever the peer does: not there, not polling, stopped, killed, or in the middle"
       " of a message."},
      {"END-1",
       "close_connection() returns at once; operations in flight complete with DUET_CANCELLED, or "
       "DUET_OK if they were faster, through later poll() calls."},
      {"END-2",
       "When one side closes, the other's operations fail with DUET_PEER_LOST, or run into their "
       "deadlines where the transport cannot see it."},
      {"END-3",
       "A peer that dies is a peer that closed: its operations end, and the context goes on with its "
       "other peers."},
      {"CANCEL-1",
       "cancel() ends this operation alone, no other one and not the connection: it returns DUET_OK, and"
       " the completion follows with DUET_CANCELLED, or as the operation had ended already; or "
       "DUET_AGAIN, and the operation goes on as if nothing had been asked."},
      {"CANCEL-2", "cancel() of what is not in flight on the connection returns DUET_MISUSE."},
      {"ERR-1", "A failure's text names the peer as the host called it in the request."},
      {"ERR-2",
       "last_error(), where there is one, gives the status and the text of the connection's last "
       "operation that failed."},
      {"ERR-3",
       "Where a function with an error returns anything but DUET_OK and DUET_AGAIN, error->status equals"
       " the result."},
  };
  return rules;
}

const Rule& rule_of(const std::string& id) {
  for (const Rule& rule : all_rules()) {
    if (rule.id == id) return rule;
  }
  std::fprintf(stderr, "contract suite: there is no rule %s\n", id.c_str());
  std::abort();
}

void holds_to(std::initializer_list<const char*> ids) {
  current().clear();
  for (const char* id : ids)
    current().push_back(&rule_of(id));
  if (rules_listener != nullptr) rules_listener();
}

const std::vector<const Rule*>& current_rules() {
  return current();
}

void on_rules(void (*listener)()) {
  rules_listener = listener;
}

}  // namespace duet::contract
