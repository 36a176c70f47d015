# frozen_string_literal: true

# The Ruby application of the demo: ordinary Sidekiq jobs that know nothing of Kafka. Each tells on stdout that it ran,
# and with which values.

require "json"
require "sidekiq"
require_relative "../../ruby/sluice_sidekiq"

Sidekiq.logger = Logger.new($stderr, level: Logger::FATAL)
Sidekiq.configure_server { |config| Sluice::Sidekiq.install(config) }
$stdout.sync = true
# Debian's Sidekiq calls its redis in ways that a later one will not have.
Redis.silence_deprecations = true if defined?(Redis)

# It does not outlive the demo, however that ends.
Thread.new do
  $stdin.read
  Process.kill("TERM", Process.pid)
end

module Telling
  def tell(seen)
    $stdout.write("#{JSON.generate(class: self.class.name, jid: jid, seen: seen)}\n")
  end
end

# Comes from Kafka as a Sidekiq job.
class OrderJob
  include Sidekiq::Job
  include Telling

  def perform(number, total, lines)
    raise ArgumentError, "order #{number} has no lines" if lines.empty?

    tell("order #{number.inspect}, total #{total.inspect}, lines #{lines.inspect}")
  end
end

# Comes from Kafka as a protobuf message.
class PageViewJob
  include Sidekiq::Job
  include Telling

  def perform(view)
    tell(view.slice("url", "userId", "bytes").inspect)
  end
end
