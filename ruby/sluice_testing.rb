# frozen_string_literal: true

# What Kafka will bring, in a Ruby test and without Kafka or Redis: the jobs that `sluice decode --as sidekiq` prints, the
# exact text of a job on each line, go where `Sidekiq::Testing` keeps its jobs.
#
#   require "sluice_testing"
#
#   Sluice::Testing.load(`npx sluice decode --as sidekiq --topic acme.orders --file test/orders.jsonl`)
#   OrderJob.drain
#
# In fake mode they wait in `OrderJob.jobs` and `Sidekiq::Queues`, in inline mode they run at once. All lines are read
# before the first job is loaded, and no job at all is an error: a test must not pass because nothing came.
#
# For Sidekiq 6.4 to 8.

require "json"
require "securerandom"
require "sidekiq"
require "sidekiq/testing" unless defined?(Sidekiq::Testing)

module Sluice
  module Testing
    class BadJob < ArgumentError; end

    class << self
      # Lines in one text, a file that is open, or a list of lines. Answers the jobs.
      def load(lines)
        raise BadJob, "Sidekiq::Testing is disabled; set fake! or inline!" if ::Sidekiq::Testing.disabled?

        jobs = each_line(lines).with_index(1).filter_map { |line, number| parse(line, number) unless line.strip.empty? }
        raise BadJob, "no job came; see what `sluice decode` says" if jobs.empty?

        jobs.each { |job| ::Sidekiq::Testing.inline? ? run(job) : wait(job) }
      end

      private

      def each_line(lines)
        lines.respond_to?(:each_line) ? lines.each_line : lines.each
      end

      def parse(line, number)
        job = ::Sidekiq.load_json(line)
        return job if job.is_a?(Hash) && job["class"].is_a?(String) && job["args"].is_a?(Array) && job["queue"].is_a?(String)

        raise BadJob, "line #{number} is no job with class, args and queue: #{line[0, 200]}"
      rescue JSON::ParserError => error
        raise BadJob, "line #{number} is not JSON: #{error.message[0, 200]}"
      end

      def run(job)
        Object.const_get(job["class"]).process_job(job)
      end

      # The command numbers records from 0 each time, and so their jids; Sidekiq's draining runs one job of a jid.
      def wait(job)
        job["jid"] = SecureRandom.hex(12) if ::Sidekiq::Queues.jobs_by_worker[job["class"]].any? { |other| other["jid"] == job["jid"] }
        ::Sidekiq::Queues.push(job["queue"], job["class"], job)
      end
    end
  end
end
