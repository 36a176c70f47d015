-- A list of Sidekiq's cannot be asked for one job. What a restored Redis brought back stays where it is, and is passed over
-- by whoever takes it: its ledger says that it is finished.

local function misplaced() end

local function remove_job() return false end
