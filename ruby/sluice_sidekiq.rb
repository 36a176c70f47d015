# frozen_string_literal: true

# Tells Sluice what becomes of the jobs that it brings from Kafka, so that a Kafka offset is committed when the job is
# done and not when it is enqueued (`settle: 'acknowledged'`). Copy this file, and install it where Sidekiq starts:
#
#   require "sluice_sidekiq"
#   Sidekiq.configure_server { |config| Sluice::Sidekiq.install(config) }
#
# In a process that shows Sidekiq's Web, install it by `configure_client` too: a job may be killed there.
#
# A job's thread only leaves a note; another thread tells Redis, in one script for all notes that wait. So no job fails
# or is slower because of it, and while Redis is away notes are kept (10,000 of them) and told again. A note that is
# lost, by kill -9 as an example, means that the bridge finds the job missing and enqueues it again.
#
# For Sidekiq 6.4 to 8. Other jobs than those from Kafka are left alone.

require "digest"
require "json"
require "sidekiq"

module Sluice
  module Sidekiq
    class << self
      def install(config)
        return unless @reporter.nil?

        @reporter = reporter = Reporter.new(config)
        config.server_middleware { |chain| chain.prepend ServerMiddleware }
        config.client_middleware { |chain| chain.add ClientMiddleware }
        config.death_handlers << method(:died)
        config.on(:startup) { reporter.live(identity) }
        at_exit { reporter.finish }
        tell_discards
      end

      # The id of the job's record in Kafka; nil for a job that does not come from there.
      def source(job)
        about = job["sl"]
        id = about["source"] if about.is_a?(Hash)
        id if id.is_a?(String)
      end

      def ended(source)
        @reporter.note("ended", source)
      end

      # Failed and to be tried again, or interrupted and back on its queue: it is not lost, but it is not done.
      def moved(source)
        @reporter.note("moved", source)
      end

      # Sidekiq writes no error into a job that is never tried again.
      def died(job, error)
        return unless source(job)

        told = job.merge("error_class" => job["error_class"] || error.class.name,
          "error_message" => job["error_message"] || message_of(error))
        @reporter.note("died", source(job), ::Sidekiq.dump_json(told))
      rescue => failure
        ::Sidekiq.logger.warn("Sluice is not told of a dead job: #{failure.message}")
      end

      private

      # Whatever bytes the application has put there, as Sidekiq reads them.
      def message_of(error)
        error.message.to_s[0, 10_000].dup.force_encoding("UTF-8").scrub
      rescue
        "the error's message cannot be read"
      end

      # Under which Sidekiq itself is listed.
      def identity
        Object.new.extend(defined?(::Sidekiq::Component) ? ::Sidekiq::Component : ::Sidekiq::Util).identity
      end

      # Sidekiq 7 drops a job on `:discard` and calls no death handler. Where its methods are others, they are left alone.
      def tell_discards
        return unless defined?(::Sidekiq::JobRetry)

        arities = %i[delay_for retries_exhausted].map { |name| ::Sidekiq::JobRetry.instance_method(name).arity }
        ::Sidekiq::JobRetry.prepend(Discards) if arities == [4, 3]
      rescue NameError
        nil
      end
    end

    Run = Struct.new(:job, :carried)

    # Stands outside of all other middleware: what they make of the job counts.
    class ServerMiddleware
      def call(_worker, job, _queue)
        source = Sidekiq.source(job)
        return yield if source.nil?

        begin
          run = Thread.current[:sluice_run] = Run.new(job, false)
          result = yield
          ended = !run.carried
          result
        ensure
          Thread.current[:sluice_run] = nil
          ended ? Sidekiq.ended(source) : Sidekiq.moved(source)
        end
      end
    end

    # A job that is pushed again while it runs is not done with the run. ActiveJob's own retries are new jobs for Sidekiq, under
    # ActiveJob's old id: they take the record with them.
    class ClientMiddleware
      def call(_worker, job, *)
        run = Thread.current[:sluice_run]
        if run && (again?(job, run.job) || retry?(job, run.job))
          job["sl"] = run.job["sl"]
          run.carried = true
        end
        yield
      end

      private

      def again?(job, running)
        Sidekiq.source(job) == Sidekiq.source(running)
      end

      def retry?(job, running)
        active_job_id(job) && active_job_id(job) == active_job_id(running)
      end

      def active_job_id(job)
        first = Array(job["args"]).first
        first["job_id"] if job["wrapped"] && first.is_a?(Hash)
      end
    end

    module Discards
      private

      def delay_for(_worker, _count, error, job)
        super.tap { |strategy, _| Sidekiq.died(job, error) if strategy == :discard }
      end

      def retries_exhausted(_worker, job, error)
        super.tap { Sidekiq.died(job, error) }
      end
    end

    # Brings notes to Redis by a thread of its own, and says every few seconds that this process does so.
    class Reporter
      MOST_WAITING = 10_000
      MOST_AT_ONCE = 500
      BEAT_SECONDS = 5
      # Notes of this long are told together: a call for each would cost Ruby more than the job's own fetch.
      GATHER_SECONDS = 0.005
      TRY_AGAIN_SECONDS = 1
      FINISH_WITHIN_SECONDS = 3

      def initialize(config)
        @config = config
        @lock = Mutex.new
        @changed = ConditionVariable.new
        @waiting = []
        @identity = ""
        @finishing = false
      end

      def live(identity)
        @lock.synchronize do
          @identity = identity
          run
        end
      end

      def note(what, source, text = "")
        @lock.synchronize do
          @waiting << [what, source, text] if @waiting.size < MOST_WAITING
          run
          @changed.signal if @waiting.size == 1
        end
      rescue ThreadError
        nil # No thread is to be had now; the next note will try again.
      end

      # What still waits is told, if Redis answers in time.
      def finish
        @lock.synchronize do
          @finishing = true
          @changed.signal
        end
        @thread&.join(FINISH_WITHIN_SECONDS)
      end

      private

      # A process that was forked off has no thread yet.
      def run
        @thread = Thread.new { work } unless @thread&.alive?
      end

      def work
        told([], false)
        loop do
          is_last, notes = await
          break if told(notes, is_last) && is_last
          break if @finishing && @failing
        end
      end

      def await
        @lock.synchronize { @changed.wait(@lock, BEAT_SECONDS) if @waiting.empty? && !@finishing }
        sleep GATHER_SECONDS unless @finishing
        @lock.synchronize do
          [@finishing && @waiting.size <= MOST_AT_ONCE, @waiting.first(MOST_AT_ONCE)]
        end
      end

      # The notes are taken away once Redis has them: told twice, they change nothing.
      def told(notes, is_last)
        return true if notes.empty? && @identity.empty?

        @config.redis { |redis| evaluate(redis, [@identity, is_last ? "gone" : "here", *notes.flatten]) }
        @lock.synchronize { @waiting.shift(notes.size) }
        @config.logger.info("Sluice is told again what becomes of its jobs") if @failing
        @failing = false
        true
      rescue => error
        @config.logger.warn("Sluice cannot be told what becomes of its jobs: #{error.message}") unless @failing
        @failing = true
        sleep TRY_AGAIN_SECONDS unless @finishing
        false
      end

      def evaluate(redis, arguments)
        redis.call("EVALSHA", SHA, "0", *arguments)
      rescue => error
        raise unless error.message.start_with?("NOSCRIPT")

        redis.call("EVAL", SCRIPT, "0", *arguments)
      end
    end

    # ARGV: this process, 'here' or 'gone', then for each note: what, source, text. An offset counts only in ledgers that
    # hold it as unsettled; a key that is missing or of another kind is passed over. It frees memory, so a full Redis
    # must not refuse it.
    SCRIPT = <<~LUA
      #!lua flags=allow-oom
      local CHUNK, QUEUE = 512, 'sidekiq'
      local REPORTERS, FORGOTTEN_AFTER_SECONDS = 'sluice:sidekiq:reporters', 3600

      local function entries_of(source)
        local prefix, offset = string.match(source, '^(k~.*~)(%d+)$')
        local bases = prefix and redis.pcall('SMEMBERS', 'sluice:sources:' .. prefix) or {}
        local entries = {}
        for _, base in ipairs(bases.err and {} or bases) do
          local slot = tonumber(offset) % CHUNK
          local chunk = string.format('%.0f', (tonumber(offset) - slot) / CHUNK)
          local key = base .. ':u:' .. chunk .. ':' .. QUEUE
          if redis.pcall('SISMEMBER', key, slot) == 1 then
            entries[#entries + 1] = { base = base, offset = offset, slot = slot, chunk = chunk, key = key }
          end
        end
        return entries
      end

      local note = {}
      function note.ended(entry)
        redis.pcall('SREM', entry.key, entry.slot)
        if redis.call('EXISTS', entry.key) == 0 then redis.pcall('ZREM', entry.base .. ':c', entry.chunk .. ':' .. QUEUE) end
        redis.pcall('SADD', entry.base .. ':d', entry.chunk)
      end
      function note.moved(entry) redis.pcall('SADD', entry.base .. ':m', entry.offset) end
      function note.died(entry, text) redis.pcall('HSET', entry.base .. ':x', entry.offset, text) end

      for i = 3, #ARGV, 3 do
        for _, entry in ipairs(entries_of(ARGV[i + 1])) do note[ARGV[i]](entry, ARGV[i + 2]) end
      end

      local now = tonumber(redis.call('TIME')[1])
      if ARGV[1] ~= '' then
        if ARGV[2] == 'here' then redis.pcall('ZADD', REPORTERS, now, ARGV[1]) else redis.pcall('ZREM', REPORTERS, ARGV[1]) end
        redis.pcall('ZREMRANGEBYSCORE', REPORTERS, '-inf', now - FORGOTTEN_AFTER_SECONDS)
      end
    LUA
    SHA = Digest::SHA1.hexdigest(SCRIPT)
  end
end
