-- The lease of a claim, shared by the scripts that heed claims.

local LEASE_MS = 5000

-- Whether a claim that lasts until `claim_until` still holds. One that lasts longer than a lease was written by another
-- clock, a demoted primary's, and is over.
local function is_claimed(claim_until, at)
  local left = (tonumber(claim_until or 0) or 0) - at
  return left > 0 and left <= LEASE_MS
end
