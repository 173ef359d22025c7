// NativeDialog's durable subscriptions: named by the client, remembered while it is away, gone on with from what it
// acknowledged.
#include <chrono>

#include "protocol/native/native_dialog.h"
#include "protocol/native_channels.h"

namespace carillon {

template <class T, class GoOn>
UniqueFunction<void(Result<T>)> NativeDialog::later(GoOn go_on) {
  shared_.waiting[session_.id()] = this;
  return [&shared = shared_, &loop = shared_.shard.loop(), id = session_.id(),
          go_on = std::move(go_on)](Result<T> outcome) mutable {
    Task task = [&shared, id, go_on = std::move(go_on), outcome = std::move(outcome)]() mutable {
      const auto found = shared.waiting.find(id);
      if (found != shared.waiting.end() && !found->second->session_.ended()) go_on(*found->second, std::move(outcome));
    };
    if (loop.in_loop_thread()) return task();
    loop.post(std::move(task));
  };
}

void NativeDialog::on_link_closed() {
  if (!shared_.waiting.empty()) shared_.waiting.erase(session_.id());
  session_.end(EndReason::kClientLeft);
}

// Who shows a valid token has names of its own; those of all others are one space, in which any of them may take any name.
std::string NativeDialog::subscriber(const NativeDurable& durable) const {
  const Identity& identity = session_.identity();
  return durable_subscriber(
      {"native", identity.verified ? "user" : "open", identity.verified ? identity.user : "", durable.name});
}

// One channel, named exactly: a repository's is not a tree here.
Result<NativeDialog::DurableAsked> NativeDialog::durable_asked(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return channel.error();
  return DurableAsked{.id = std::string(shared_.reader.id()),
                      .channel = std::string(command.channel),
                      .own_name = *std::move(channel),
                      .durable = *command.durable,
                      .heard = std::nullopt};
}

void NativeDialog::subscribe_durable(const NativeCommand& command) {
  if (command.presence) {
    return send_error({ErrorKind::kInvalid, "a subscribe with `durable` has no `presence`; use `join`"}, shared_.reader.id());
  }
  Result<DurableAsked> asked = durable_asked(command);
  if (!asked) return send_error(asked.error(), shared_.reader.id());
  const Selector selector{.kind = Selector::Kind::kExact, .base = asked->own_name};
  if (const Result<void> allowed = shared_.shard.hub().policy().may_subscribe(session_.identity(), selector); !allowed) {
    return send_error(allowed.error(), asked->id);
  }
  if (command.recover && !command.recover->empty()) asked->heard = command.recover->front().position;
  using Known = std::vector<DurableSubscription>;
  std::string name = subscriber(asked->durable);
  shared_.durable.load(std::move(name),
                       later<Known>([asked = *std::move(asked)](NativeDialog& dialog, Result<Known> known) mutable {
                         if (!known) return dialog.send_error(known.error(), asked.id);
                         for (DurableSubscription& one : *known) {
                           if (one.channel == asked.own_name && !asked.heard) asked.heard = one.heard;
                         }
                         dialog.remember(std::move(asked));
                       }));
}

// The store knows of it before anything follows.
void NativeDialog::remember(DurableAsked asked) {
  const Millis expiry = std::chrono::seconds(asked.durable.expires_s);
  DurableSubscription subscription{.channel = asked.own_name, .heard = asked.heard};
  std::string name = subscriber(asked.durable);
  shared_.durable.keep(std::move(name), std::move(subscription), expiry,
                       later<void>([asked = std::move(asked)](NativeDialog& dialog, Result<void> kept) mutable {
                         if (!kept) return dialog.send_error(kept.error(), asked.id);
                         dialog.subscribe_remembered(std::move(asked));
                       }));
}

void NativeDialog::subscribe_remembered(DurableAsked asked) {
  SubscribeOptions options{.selector = {.kind = Selector::Kind::kExact, .base = asked.own_name}};
  if (asked.heard) options.recover = {{asked.own_name, *asked.heard}};
  options.ticket = expect(asked.channel, asked.own_name);
  Pending& pending = pending_->back();
  pending.id = std::move(asked.id);
  pending.recover = pending.remembered = asked.heard.has_value();
  pending.durable = std::move(asked.durable.name);
  session_.subscribe(std::move(options));
}

// The answer names what follows: a `subscribed` for each, without an id.
void NativeDialog::resume(const NativeCommand& command) {
  using Known = std::vector<DurableSubscription>;
  const NativeDurable durable = *command.durable;
  shared_.durable.load(
      subscriber(durable),
      later<Known>([durable, id = std::string(shared_.reader.id())](NativeDialog& dialog, Result<Known> known) {
        if (!known) return dialog.send_error(known.error(), id);
        std::vector<std::string> channels;
        for (const DurableSubscription& one : *known) channels.push_back(one.channel);
        dialog.send(native_resumed(durable.name, id, channels));
        for (DurableSubscription& one : *known) {
          if (dialog.session_.ended()) return;
          dialog.subscribe_remembered(
              {.id = {}, .channel = one.channel, .own_name = one.channel, .durable = durable, .heard = one.heard});
        }
      }));
}

// Cumulative: everything up to here.
void NativeDialog::ack_durable(const NativeCommand& command) {
  Result<DurableAsked> asked = durable_asked(command);
  if (!asked) return send_error(asked.error(), shared_.reader.id());
  DurableSubscription heard{.channel = asked->own_name, .heard = command.durable->heard};
  std::string name = subscriber(asked->durable);
  shared_.durable.heard(std::move(name), {std::move(heard)},
                        later<void>([asked = *std::move(asked)](NativeDialog& dialog, Result<void> outcome) {
                          if (!outcome) return dialog.send_error(outcome.error(), asked.id);
                          if (asked.id.empty()) return;
                          dialog.send(native_remembered("acked", asked.channel, asked.durable.name, asked.id));
                        }));
}

// The subscription itself goes on until the connection ends, or is unsubscribed.
void NativeDialog::forget_durable(const NativeCommand& command) {
  Result<DurableAsked> asked = durable_asked(command);
  if (!asked) return send_error(asked.error(), shared_.reader.id());
  std::string name = subscriber(asked->durable), channel = asked->own_name;
  shared_.durable.forget(
      std::move(name), std::move(channel), later<bool>([asked = *std::move(asked)](NativeDialog& dialog, Result<bool> outcome) {
        if (!outcome) return dialog.send_error(outcome.error(), asked.id);
        if (!*outcome) {
          return dialog.send_error({ErrorKind::kNotFound, "nothing is remembered under this name"}, asked.id);
        }
        dialog.send(native_remembered("forgotten", asked.channel, asked.durable.name, asked.id));
      }));
}

}  // namespace carillon
