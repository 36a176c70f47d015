# frozen_string_literal: true

# What a Sidekiq process in a test loads: the jobs, and a note of every run, a line of JSON each, in the file that RUNS
# names. A line is appended in one piece, so several processes may share the file.

require "json"
require "sidekiq"

module Noting
  FILE = ENV.fetch("RUNS")

  def self.note(job, queue, phase, error = nil)
    line = {
      phase: phase,
      pid: Process.pid,
      at: Time.now.to_f,
      class: job["class"],
      jid: job["jid"],
      queue: queue,
      args: job["args"].map { |arg| {class: arg.class.name, inspect: arg.inspect, value: arg} },
      job: job,
      error: error && "#{error.class}: #{error.message}".dup.force_encoding("UTF-8").scrub
    }
    File.write(FILE, "#{JSON.generate(line)}\n", mode: "a")
  end

  # The first of all middleware: it sees what others do to the outcome.
  class Middleware
    def call(_worker, job, queue)
      Noting.note(job, queue, "began")
      yield
      Noting.note(job, queue, "ended")
    rescue Exception => error # rubocop:disable Lint/RescueException
      Noting.note(job, queue, "failed", error)
      raise
    end
  end
end

class Note
  include Sidekiq::Worker

  def perform(*)
  end
end

# Fails in its first runs; `times` absent: in all.
class Fail
  include Sidekiq::Worker

  def perform(times = nil, *)
    raise ArgumentError, "told to fail" if times.nil? || runs_before < times
  end

  private

  def runs_before
    File.readlines(Noting::FILE).map { |line| JSON.parse(line) }.count { |run| run["jid"] == jid && run["phase"] == "failed" }
  end
end

class Nap
  include Sidekiq::Worker

  def perform(seconds, *)
    sleep seconds
  end
end

# Runs until a file of this name stands beside the runs.
class WaitFor
  include Sidekiq::Worker

  def perform(name, *)
    sleep 0.01 until File.exist?(File.join(File.dirname(Noting::FILE), name))
  end
end

# In its first run it takes its process with it.
class KillOnce
  include Sidekiq::Worker

  def perform(*)
    mark = File.join(File.dirname(Noting::FILE), "killed-#{jid}")
    return if File.exist?(mark)

    File.write(mark, "")
    Process.kill("KILL", Process.pid)
    sleep
  end
end

Sidekiq.configure_server do |config|
  config.server_middleware { |chain| chain.prepend Noting::Middleware }
  # Due jobs are looked for twice a second, not three times a minute.
  (config.respond_to?(:options) ? config.options : config)[:poll_interval_average] = 0.5
end

load ENV["CODE"] if ENV["CODE"]
