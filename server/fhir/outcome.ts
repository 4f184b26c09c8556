import type { OperationOutcome } from 'fhir/r4';

type IssueType = OperationOutcome['issue'][number]['code'];

/** A refusal in FHIR's words: becomes an OperationOutcome with its HTTP status. */
export class FhirError extends Error {
  override name = 'FhirError';
  constructor(
    readonly status: number,
    readonly code: IssueType,
    /** What is wrong, where, and what to do: shown to people as it is. */
    diagnostics: string,
  ) {
    super(diagnostics);
  }

  get outcome(): OperationOutcome {
    return {
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: this.code, diagnostics: this.message }],
    };
  }
}
