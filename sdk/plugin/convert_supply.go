package plugin

import (
	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

func supplyToWire(s *sdk.Supply) *pb.Supply {
	return &pb.Supply{
		Run: text(s.Run), Sources: texts[string](s.Sources),
		Username: text(string(s.Username)), AuthorizedNif: text(string(s.AuthorizedNIF)),
		Cups: text(string(s.CUPS)), Distributor: text(string(s.Distributor)), DistributorName: text(s.DistributorName),
		Address: text(s.Address), PostalCode: text(s.PostalCode),
		Province: text(s.Province), ProvinceCode: text(s.ProvinceCode),
		Municipality: text(s.Municipality), MunicipalityCode: text(s.MunicipalityCode),
		PointType: int32(s.PointType), ValidFrom: stamp(s.ValidFrom), ValidTo: stamp(s.ValidTo),
		Contracts: each(s.Contracts, contractToWire), Measurements: each(s.Measurements, seriesToWire),
		FetchedAt: stamp(s.FetchedAt), RawJson: s.Raw,
	}
}

func supplyFromWire(m *pb.Supply) sdk.Supply {
	return sdk.Supply{
		Run: m.GetRun(), Sources: m.GetSources(),
		Username: sdk.NIF(m.GetUsername()), AuthorizedNIF: sdk.NIF(m.GetAuthorizedNif()),
		CUPS: sdk.CUPS(m.GetCups()), Distributor: sdk.Distributor(m.GetDistributor()),
		DistributorName: m.GetDistributorName(),
		Address:         m.GetAddress(), PostalCode: m.GetPostalCode(),
		Province: m.GetProvince(), ProvinceCode: m.GetProvinceCode(),
		Municipality: m.GetMunicipality(), MunicipalityCode: m.GetMunicipalityCode(),
		PointType: int(m.GetPointType()), ValidFrom: unstamp(m.GetValidFrom()), ValidTo: unstamp(m.GetValidTo()),
		Contracts: each(m.GetContracts(), contractFromWire), Measurements: each(m.GetMeasurements(), seriesFromWire),
		FetchedAt: unstamp(m.GetFetchedAt()), Raw: orNil(m.GetRawJson()),
	}
}

func contractToWire(c sdk.Contract) *pb.Contract {
	return &pb.Contract{
		Marketer: text(c.Marketer), Tension: text(c.Tension), AccessFare: text(c.AccessFare), FareCode: text(c.FareCode),
		ContractedPower:    each(c.ContractedPower, decimalToWire),
		TimeDiscrimination: text(c.TimeDiscrimination), PowerControl: text(c.PowerControl),
		StartDate: stamp(c.StartDate), EndDate: stamp(c.EndDate), LastMarketerDate: stamp(c.LastMarketerDate),
		MaxPowerInstall: text(c.MaxPowerInstall),
		Owners: each(c.Owners, func(o sdk.OwnerPeriod) *pb.OwnerPeriod {
			return &pb.OwnerPeriod{Start: stamp(o.Start), End: stamp(o.End)}
		}),
		SelfConsumptionCode: text(c.SelfConsumptionCode), SelfConsumption: text(c.SelfConsumption),
		Section: text(c.Section), Subsection: text(c.Subsection), Cau: text(c.CAU),
		Partition: optionalToWire(c.Partition), InstalledCapacity: optionalToWire(c.InstalledCapacity),
	}
}

func contractFromWire(m *pb.Contract) sdk.Contract {
	return sdk.Contract{
		Marketer: m.GetMarketer(), Tension: m.GetTension(), AccessFare: m.GetAccessFare(), FareCode: m.GetFareCode(),
		ContractedPower:    each(m.GetContractedPower(), decimalFromWire),
		TimeDiscrimination: m.GetTimeDiscrimination(), PowerControl: m.GetPowerControl(),
		StartDate: unstamp(m.GetStartDate()), EndDate: unstamp(m.GetEndDate()),
		LastMarketerDate: unstamp(m.GetLastMarketerDate()), MaxPowerInstall: m.GetMaxPowerInstall(),
		Owners: each(m.GetOwners(), func(o *pb.OwnerPeriod) sdk.OwnerPeriod {
			return sdk.OwnerPeriod{Start: unstamp(o.GetStart()), End: unstamp(o.GetEnd())}
		}),
		SelfConsumptionCode: m.GetSelfConsumptionCode(), SelfConsumption: m.GetSelfConsumption(),
		Section: m.GetSection(), Subsection: m.GetSubsection(), CAU: m.GetCau(),
		Partition: optionalFromWire(m.GetPartition()), InstalledCapacity: optionalFromWire(m.GetInstalledCapacity()),
	}
}

func decimalToWire(d sdk.Decimal) *pb.Decimal { return &pb.Decimal{Units: d.Units, Scale: d.Scale} }

// decimalFromWire drops a scale that no decimal has, as it would end the reader.
func decimalFromWire(m *pb.Decimal) sdk.Decimal {
	if m.GetScale() < 0 || m.GetScale() > sdk.MaxScale {
		return sdk.Decimal{}
	}
	return sdk.Decimal{Units: m.GetUnits(), Scale: m.GetScale()}
}

func optionalToWire(d *sdk.Decimal) *pb.Decimal {
	if d == nil {
		return nil
	}
	return decimalToWire(*d)
}

func optionalFromWire(m *pb.Decimal) *sdk.Decimal {
	if m == nil {
		return nil
	}
	d := decimalFromWire(m)
	return &d
}
