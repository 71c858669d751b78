internal import Synchronization
internal import ZODB
internal import ZODBFile

/// Reads the records of a file a slab at a time, and says after each how far it came: there a later run can go on.
struct CheckpointedReading {
    let survey: FileSurvey
    let options: VerificationOptions

    /// Bytes; a slab is shared by the threads.
    private static let slab = 256 << 20

    func run() throws(StorageError) -> RecordHarvest {
        var harvest = RecordHarvest(defects: DefectList(limit: options.limit))
        var position = FileFormat.firstTransaction
        if let start = options.start, start.fits(survey, options), let place = Int(exactly: start.position) {
            position = place
            harvest = start.harvest(limit: options.limit)
        }
        let records = FileRecords(survey: survey, options: options)
        let (total, progress) = (survey.end, options.progress)
        let done = Mutex(position)
        while position < survey.end {
            let wanted = position + Self.slab
            let end = survey.milestones.first { $0 >= wanted } ?? survey.end
            harvest.add(
                try records.read(from: position, to: end) { bytes in
                    let sum = done.withLock { done in
                        done += bytes
                        return done
                    }
                    progress?("pickles", sum, total, "bytes")
                })
            position = end
            done.withLock { $0 = end }
            options.checkpoint?(
                VerificationCheckpoint(survey: survey, options: options, position: position, harvest: harvest))
        }
        return harvest
    }
}
