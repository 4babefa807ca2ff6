"""Persona's words and ours: verifications, their checks, reports, classes of ids, keys of what was read.

The names of the checks are those of the table that Persona publishes (Verification Checks in its dashboard).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from idv_core.plugin import OTHER, OVERALL, CheckKind, DocumentType, FieldName

Named: TypeAlias = tuple[CheckKind, str]

_DOCUMENT, _FACE, _LIVE, _DATA = CheckKind.DOCUMENT, CheckKind.FACE_MATCH, CheckKind.LIVENESS, CheckKind.DATA_SOURCE

VERIFICATIONS: Mapping[str, Named] = {
    "government-id": (_DOCUMENT, OVERALL),
    "government-id-nfc": (_DOCUMENT, OVERALL),
    "jp-my-number-nfc-scan": (_DOCUMENT, OVERALL),
    "mdoc": (_DOCUMENT, OVERALL),
    "document": (_DOCUMENT, OVERALL),
    "selfie": (_LIVE, OVERALL),
    "aamva": (_DATA, "government_register"),
    "database": (_DATA, OVERALL),
    "database-aadhaar": (_DATA, "government_register"),
    "database-ecbsv": (_DATA, "government_register"),
    "database-phone-carrier": (_DATA, "telecom"),
    "database-serpro": (_DATA, "government_register"),
    "database-standard": (_DATA, OVERALL),
    "database-tin": (_DATA, "government_register"),
    "email-address": (CheckKind.EMAIL, "possession"),
    "phone-number": (CheckKind.PHONE, "possession"),
    "phone-number-silent-network-authentication": (CheckKind.PHONE, "possession"),
}
"""The part of a verification's type behind `verification/`, and the check that it is as a whole."""

CHECKS: Mapping[str, Named] = {
    "id_aamva_database_lookup": (_DATA, "government_register"),
    "id_account_comparison": (_DOCUMENT, "comparison"),
    "id_age_comparison": (_DOCUMENT, "minimum_age"),
    "id_age_inconsistency_detection": (_DOCUMENT, "consistency"),
    "id_attribute_comparison": (_DOCUMENT, "comparison"),
    "id_barcode_detection": (_DOCUMENT, "extraction"),
    "id_barcode_inconsistency_detection": (_DOCUMENT, "consistency"),
    "id_blur_detection": (_DOCUMENT, "image_quality"),
    "id_color_inconsistency_detection": (_DOCUMENT, "authenticity"),
    "id_compromised_detection": (_DOCUMENT, "compromised"),
    "id_corner_detection": (_DOCUMENT, "image_quality"),
    "id_damaged_detection": (_DOCUMENT, "validity"),
    "id_disallowed_country_detection": (_DOCUMENT, "supported"),
    "id_disallowed_type_detection": (_DOCUMENT, "supported"),
    "id_double_side_detection": (_DOCUMENT, "uploaded"),
    "id_electronic_replica_detection": (_DOCUMENT, "authenticity"),
    "id_entity_detection": (_DOCUMENT, "supported"),
    "id_expired_detection": (_DOCUMENT, "validity"),
    "id_extracted_properties_detection": (_DOCUMENT, "extraction"),
    "id_extraction_inconsistency_detection": (_DOCUMENT, "consistency"),
    "id_fabrication_detection": (_DOCUMENT, "authenticity"),
    "id_glare_detection": (_DOCUMENT, "image_quality"),
    "id_handwriting_detection": (_DOCUMENT, "authenticity"),
    "id_inconsistent_repeat_detection": (_DOCUMENT, "compromised"),
    "id_inquiry_comparison": (_DOCUMENT, "comparison"),
    "id_mrz_detection": (_DOCUMENT, "extraction"),
    "id_mrz_inconsistency_detection": (_DOCUMENT, "consistency"),
    "id_nfc_attribute_comparison": (_DOCUMENT, "comparison"),
    "id_nfc_disallowed_country_detection": (_DOCUMENT, "supported"),
    "id_nfc_expired_detection": (_DOCUMENT, "validity"),
    "id_nfc_pki_failure_detection": (_DOCUMENT, "authenticity"),
    "id_nfc_tamper_detection": (_DOCUMENT, "authenticity"),
    "id_nfc_unprocessable_submission_detection": (_DOCUMENT, "image_quality"),
    "id_number_format_inconsistency_detection": (_DOCUMENT, "consistency"),
    "id_paper_detection": (_DOCUMENT, "authenticity"),
    "id_physical_tamper_detection": (_DOCUMENT, "authenticity"),
    "id_po_box_detection": (_DOCUMENT, OTHER),
    "id_portrait_clarity_detection": (_DOCUMENT, "image_quality"),
    "id_portrait_detection": (_DOCUMENT, "image_quality"),
    "id_public_figure_detection": (_DOCUMENT, "compromised"),
    "id_real_id_detection": (_DOCUMENT, "supported"),
    "id_repeat_detection": (_DOCUMENT, "compromised"),
    "id_selfie_comparison": (_FACE, "selfie_to_document"),
    "id_tamper_detection": (_DOCUMENT, "authenticity"),
    "id_type_detection": (_DOCUMENT, "supported"),
    "id_unprocessable_submission_detection": (_DOCUMENT, "image_quality"),
    "id_valid_dates_detection": (_DOCUMENT, "validity"),
    "id_video_quality_detection": (_DOCUMENT, "image_quality"),
    "selfie_account_comparison": (_FACE, "selfie_to_record"),
    "selfie_attribute_comparison": (_FACE, "selfie_to_selfie"),
    "selfie_face_covering_detection": (_LIVE, "image_quality"),
    "selfie_glare_detection": (_LIVE, "image_quality"),
    "selfie_glasses_detection": (_LIVE, "image_quality"),
    "selfie_id_comparison": (_FACE, "selfie_to_document"),
    "selfie_image_quality_detection": (_LIVE, "image_quality"),
    "selfie_liveness_detection": (_LIVE, "presentation_attack"),
    "selfie_multiple_faces_detection": (_FACE, "selfie_to_selfie"),
    "selfie_persona_comparison": (_FACE, "selfie_to_record"),
    "selfie_portrait_quality_detection": (_LIVE, "image_quality"),
    "selfie_pose_detection": (_LIVE, "image_quality"),
    "selfie_pose_repeat_detection": (_LIVE, "presentation_attack"),
    "selfie_public_figure_detection": (_LIVE, "presentation_attack"),
    "selfie_repeat_detection": (_LIVE, "duplicate_face"),
    "selfie_suspicious_entity_detection": (_LIVE, "presentation_attack"),
    "selfie_video_quality_detection": (_LIVE, "image_quality"),
    "document_expired_detection": (_DOCUMENT, "validity"),
    "document_extracted_properties_detection": (_DOCUMENT, "extraction"),
    "document_fabrication_detection": (_DOCUMENT, "authenticity"),
    "document_recency_detection": (_DOCUMENT, "validity"),
    "document_selfie_comparison": (_FACE, "selfie_to_document"),
    "document_synthetic_content_detection": (_DOCUMENT, "authenticity"),
    "document_tamper_detection": (_DOCUMENT, "authenticity"),
    "document_template_detection": (_DOCUMENT, "authenticity"),
    "document_type_detection": (_DOCUMENT, "supported"),
    "document_unprocessable_submission_detection": (_DOCUMENT, "image_quality"),
    "database_address_comparison": (_DATA, "address"),
    "database_birthdate_comparison": (_DATA, "birthdate"),
    "database_name_comparison": (_DATA, "name"),
    "email_address_confirmation_code_comparison": (CheckKind.EMAIL, "possession"),
    "phone_number_confirmation_code_comparison": (CheckKind.PHONE, "possession"),
    "phone_number_silent_network_authentication_sim_verified_detection": (CheckKind.PHONE, "possession"),
}
"""Persona's checks within a verification. One that is not here is `other` of the verification's kind."""

_NAMES = ("name-first", "name-middle", "name-last")
_STREET = ("address-street-1", "address-street-2", "address-city", "address-subdivision", "address-postal-code")

COMPARED: Mapping[str, tuple[str, ...]] = {
    "database_address_comparison": _STREET,
    "database_birthdate_comparison": ("birthdate",),
    "database_name_comparison": _NAMES,
    "email_address_confirmation_code_comparison": ("email-address",),
    "phone_number_confirmation_code_comparison": ("phone-number",),
    "phone_number_silent_network_authentication_sim_verified_detection": ("phone-number",),
}
"""Persona's comparisons with a register or a code, and the keys of what each compares."""

FORGERY = frozenset({"authenticity", "compromised", "presentation_attack", "duplicate_face", "selfie_to_document"})
"""What is a doubt where it failed, also where the template does not require it."""

REPORTS: Mapping[str, str] = {
    "watchlist": "watchlist",
    "adverse-media": "adverse_media",
    "politically-exposed-person": "politically_exposed",
}
"""The part of a report's type behind `report/`, and the screening that it is."""

ID_CLASSES: Mapping[str, DocumentType] = {
    "dl": DocumentType.DRIVING_PERMIT,
    "hic": DocumentType.HEALTH_CARD,
    "id": DocumentType.IDCARD,
    "ipp": DocumentType.PASSPORT,
    "ltpass": DocumentType.RESIDENCE_PERMIT,
    "myn": DocumentType.NATIONAL_NUMBER_CARD,
    "nric": DocumentType.IDCARD,
    "pan": DocumentType.TAX_CARD,
    "pp": DocumentType.PASSPORT,
    "ppc": DocumentType.PASSPORT,
    "pr": DocumentType.RESIDENCE_PERMIT,
    "rp": DocumentType.RESIDENCE_PERMIT,
    "sss": DocumentType.NATIONAL_NUMBER_CARD,
    "umid": DocumentType.IDCARD,
    "vid": DocumentType.VOTER_CARD,
    "visa": DocumentType.VISA,
    "wp": DocumentType.WORK_PERMIT,
}
"""Classes of government ids (docs.withpersona.com/api-reference/verifications/government-id-verifications)."""

CLAIMS: Mapping[str, FieldName] = {
    "name-full": FieldName.NAME,
    "name-first": FieldName.GIVEN_NAME,
    "name-middle": FieldName.MIDDLE_NAME,
    "name-last": FieldName.FAMILY_NAME,
    "sex": FieldName.GENDER,
    "birthdate": FieldName.BIRTHDATE,
    "birthplace": FieldName.PLACE_OF_BIRTH,
    "nationality": FieldName.NATIONALITIES,
    "identification-number": FieldName.DOCUMENT_NUMBER,
    "document-number": FieldName.SERIAL_NUMBER,
    "issuing-authority": FieldName.ISSUER,
    "vehicle-class": FieldName.VEHICLE_CLASSES,
}
"""Keys of a government id and our names."""

REGISTER_CLAIMS: Mapping[str, FieldName] = {
    "name-first": FieldName.GIVEN_NAME,
    "name-middle": FieldName.MIDDLE_NAME,
    "name-last": FieldName.FAMILY_NAME,
    "birthdate": FieldName.BIRTHDATE,
    "identification-number": FieldName.PERSONAL_NUMBER,
    "email-address": FieldName.EMAIL,
    "phone-number": FieldName.PHONE_NUMBER,
}
"""Keys of what a database, a code by mail or one by phone confirmed, and our names."""

ADDRESS: Mapping[str, str] = {
    "address-city": "locality",
    "address-subdivision": "region",
    "address-state": "region",
    "address-postal-code": "postal_code",
}
"""Keys of an address and the members of ours."""
STREETS = ("address-street", "address-street-1", "address-street-2")
"""Its streets, a line each."""
