# frozen_string_literal: true

# Sidekiq's Web on a free loopback port, which it prints.

require "rack"
require "securerandom"
require "sidekiq/web"
require "webrick"

Sidekiq.logger.level = Logger::WARN
secret = SecureRandom.hex(32)
app = Rack::Builder.new do
  use Rack::Session::Cookie, secret: secret, same_site: true
  run Sidekiq::Web
end
silent = WEBrick::Log.new($stderr, WEBrick::Log::ERROR)
Rack::Handler::WEBrick.run(app, Host: "127.0.0.1", Port: 0, Logger: silent, AccessLog: []) do |server|
  $stdout.puts server.listeners.first.local_address.ip_port
  $stdout.flush
end
