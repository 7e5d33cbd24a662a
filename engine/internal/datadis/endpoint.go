package datadis

// endpoint is one call of the API.
type endpoint struct {
	name    string // in errors and logs
	v1, v2  string // paths, "" where the version does not have it
	guarded bool   // an identical call is refused for 24 hours
}

// path is where the endpoint is in a version of the API.
func (e *endpoint) path(version string) string {
	if version == V1 {
		return e.v1
	}
	return e.v2
}

// The endpoints (datadis-api.md 1). They are never written to.
var (
	loginCall = &endpoint{
		name: "login",
		v1:   "/nikola-auth/tokens/login",
		v2:   "/nikola-auth/tokens/login",
	}
	suppliesCall = &endpoint{
		name: "supplies",
		v1:   "/api-private/api/get-supplies",
		v2:   "/api-private/api/get-supplies-v2",
	}
	distributorsCall = &endpoint{
		name: "distributors",
		v1:   "/api-private/api/get-distributors-with-supplies",
		v2:   "/api-private/api/get-distributors-with-supplies-v2",
	}
	contractsCall = &endpoint{
		name: "contracts",
		v1:   "/api-private/api/get-contract-detail",
		v2:   "/api-private/api/get-contract-detail-v2",
	}
	consumptionCall = &endpoint{
		name:    "consumption",
		v1:      "/api-private/api/get-consumption-data",
		v2:      "/api-private/api/get-consumption-data-v2",
		guarded: true,
	}
	powerCall = &endpoint{
		name:    "max power",
		v1:      "/api-private/api/get-max-power",
		v2:      "/api-private/api/get-max-power-v2",
		guarded: true,
	}
	reactiveCall = &endpoint{
		name:    "reactive energy",
		v2:      "/api-private/api/get-reactive-data-v2",
		guarded: true,
	}
)
