# frozen_string_literal: true

# Ruby's own client, with arguments that are in memory already: `perform_async` one by one, or `push_bulk` by the thousand,
# which is as many as Sidekiq's documentation recommends.

require "sidekiq"

# The gem `redis` tells of every SADD that its next version answers otherwise.
Redis.silence_deprecations = true

how, total = ARGV
AT_ONCE = 1_000

Sidekiq.configure_client { |config| config.redis = {url: ENV.fetch("REDIS_URL"), size: 1} }

class View
  include Sidekiq::Worker
  sidekiq_options queue: "filled"

  def perform(*)
  end
end

ARGS = ["user-17", 200, {"url" => "https://shop.example/products/kettle", "title" => "x" * 165, "ratio" => 0.5}].freeze

if how == "perform_async"
  total.to_i.times { View.perform_async(*ARGS) }
else
  rows = Array.new(AT_ONCE) { ARGS }
  (total.to_i / AT_ONCE).times { Sidekiq::Client.push_bulk("class" => View, "args" => rows) }
end
