package sdk

import "time"

// Property is what a series measures.
type Property string

// Resolution is the regular distance of a series' readings, as ISO 8601 writes
// durations.
type Resolution string

// The properties and resolutions that Datadis serves.
const (
	Energy   Property = "EnergyConsumptionGridElectricity" // kWh
	Power    Property = "Power"                            // the month's maxima, kW
	Reactive Property = "ReactiveEnergy"                   // kVArh

	Hourly      Resolution = "PT1H"
	QuarterHour Resolution = "PT15M"
	Monthly     Resolution = "P1M"
)

// Series is a property at a resolution.
type Series struct {
	Property   Property   `json:"property"`
	Resolution Resolution `json:"resolution"`
}

// The series that the engine gathers.
var (
	EnergyHourly      = Series{Energy, Hourly}
	EnergyQuarterHour = Series{Energy, QuarterHour}
	PowerMonthly      = Series{Power, Monthly}
	ReactiveMonthly   = Series{Reactive, Monthly}
)

// String is the property and the resolution joined by an underscore, as
// folders and tables are named.
func (s Series) String() string { return string(s.Property) + "_" + string(s.Resolution) }

// Step is the length of a plain reading. It is 0 for monthly series, whose
// readings each have a span of their own.
func (s Series) Step() time.Duration {
	switch s.Resolution {
	case Hourly:
		return time.Hour
	case QuarterHour:
		return 15 * time.Minute
	default:
		return 0
	}
}
