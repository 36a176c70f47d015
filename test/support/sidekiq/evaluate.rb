# frozen_string_literal: true

# Runs the Ruby that stands on stdin, with Sidekiq's API loaded, and prints the value of its last line as JSON.

require "json"
require "sidekiq"
require "sidekiq/api"

code = $stdin.read
# What the code prints is for whoever reads the test's output.
answer = $stdout.dup
$stdout.reopen($stderr)
Sidekiq.logger.level = Logger::WARN
answer.write(JSON.generate(eval(code, TOPLEVEL_BINDING, "code", 1))) # rubocop:disable Security/Eval
