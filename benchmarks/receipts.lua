-- Purchases for wrk: each request is a receipt of its own, by one of many customers, now.
-- Arguments: the run's name, the number of customers, the token, "key" for an Idempotency-Key each.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(arguments)
  run, customers, token, keyed = arguments[1], tonumber(arguments[2]), arguments[3], arguments[4] == "key"
  made = 0
  math.randomseed(number * 7919 + #run)
end

function request()
  made = made + 1
  local id = run .. "-" .. number .. "-" .. made
  local headers = {
    ["Authorization"] = "Bearer " .. token,
    ["Content-Type"] = "application/json",
  }
  if keyed then headers["Idempotency-Key"] = id end
  local body = string.format(
    '{"id":"%s","customer":"c%d","at":"%s","store":"kyiv-1","lines":[' ..
    '{"sku":"flat-white","quantity":"2","total":"170.00"},' ..
    '{"sku":"croissant","quantity":"1","total":"%d.50"},' ..
    '{"sku":"beans-250","quantity":"1","total":"320.00"}]}',
    id, math.random(customers) - 1, os.date("!%Y-%m-%dT%H:%M:%SZ"), 60 + math.random(90)
  )
  return wrk.format("POST", "/api/v1/receipts", headers, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'FOUND {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
